"""A small client of the Kubernetes API for tests: JSON in, JSON out, one connection a thread."""

import base64
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

Doc = dict[str, Any]
PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


IDLE = 10.0
"""Seconds after which a connection isn't used again."""


class Refused(AssertionError):
    """A call that should have succeeded did not."""


class Api:
    """Calls of the server that a kubeconfig file names."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        server = urlsplit(config["clusters"][0]["cluster"]["server"])
        self.prefix = server.path.rstrip("/")
        self.place = (server.hostname or "", server.port or 443)
        user = config["users"][0]["user"]
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        for what in ("certificate", "key"):
            (kubeconfig.parent / f"{what}.pem").write_bytes(base64.b64decode(user[f"client-{what}-data"]))
        self.context.load_cert_chain(kubeconfig.parent / "certificate.pem", kubeconfig.parent / "key.pem")
        self.local = threading.local()

    def connection(self) -> http.client.HTTPSConnection:
        """A new connection."""
        return http.client.HTTPSConnection(*self.place, context=self.context, timeout=60)

    def call(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        """Status and document (or text) of any answer."""
        link = getattr(self.local, "link", None)
        if link is None:
            link = self.local.link = self.connection()
        sent = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        said = {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if time.monotonic() - getattr(self.local, "used", 0.0) > IDLE:
            link.close()  # the server may have, meanwhile; the next request opens it again
        try:
            link.request(method, self.prefix + path, sent, said)
            answer = link.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException):
            link.close()
            raise
        self.local.used = time.monotonic()
        if (answer.headers.get("Content-Type") or "").startswith("application/json"):
            return answer.status, json.loads(raw)
        return answer.status, raw.decode()

    def ok(self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str) -> Any:
        """The document of an answer that must be 2xx."""
        code, doc = self.call(method, path, body, kind, **headers)
        if code >= 300:
            raise Refused(f"{method} {path}: {code} {doc['message'] if isinstance(doc, dict) else doc}")
        return doc

    def get(self, path: str) -> Any:
        """GET."""
        return self.ok("GET", path)

    def post(self, path: str, doc: Doc) -> Any:
        """POST."""
        return self.ok("POST", path, doc)

    def put(self, path: str, doc: Doc) -> Any:
        """PUT."""
        return self.ok("PUT", path, doc)

    def patch(self, path: str, doc: Any, how: str = "merge") -> Any:
        """PATCH, ``how`` as in ``PATCHES``."""
        return self.ok("PATCH", path, doc, PATCHES[how])

    def delete(self, path: str, options: Doc | None = None) -> Any:
        """DELETE."""
        return self.ok("DELETE", path, options)

    def gone(self, path: str) -> bool:
        """Whether GET says 404."""
        return self.call("GET", path)[0] == 404

    def watch(self, path: str) -> "Watch":
        """A watch that reads in the background."""
        return Watch(self, path)


class Watch:
    """The events of a watch as they come."""

    def __init__(self, api: Api, path: str) -> None:
        self.events: list[Doc] = []
        self.link = api.connection()
        self.link.request("GET", f"{api.prefix}{path}{'&' if '?' in path else '?'}watch=true")
        self.answer = self.link.getresponse()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        try:
            for line in self.answer:
                self.events.append(json.loads(line))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            return

    def seen(self) -> Iterator[tuple[str, str]]:
        """(type, name) of each event so far."""
        for event in list(self.events):
            yield event["type"], event["object"]["metadata"].get("name", "")

    def close(self) -> None:
        """Hang up."""
        if self.link.sock is not None:
            self.link.sock.close()


def eventually(check: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """The first true answer of ``check``."""
    until = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < until:
        last = check()
        if last:
            return last
        time.sleep(0.03)
    raise AssertionError(f"waited {seconds} s for {what}; last: {last!r}")
