"""A websocket client of a few lines, enough for the feed."""

import json
import socket
from typing import Any

from tests.product import Product


class Socket:
    """A websocket client of a few lines."""

    def __init__(self, product: Product, path: str, **headers: str) -> None:
        self.line = socket.create_connection(("127.0.0.1", product.port), 10)
        host = headers.pop("Host", f"127.0.0.1:{product.port}")
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n".encode()
        )
        self.file = self.line.makefile("rb")
        self.head = b"".join(iter(self.file.readline, b"\r\n"))

    def frame(self) -> Any:
        kind, length = self.file.read(2)
        if length == 126:
            length = int.from_bytes(self.file.read(2), "big")
        elif length == 127:
            length = int.from_bytes(self.file.read(8), "big")
        data = self.file.read(length)
        return json.loads(data) if kind == 0x81 else (kind, data)

    def say(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.line.sendall(bytes([0x81, 0x80 | len(data)]) + b"\0\0\0\0" + data)
