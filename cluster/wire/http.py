"""HTTP between clients and the apiserver (through the balancer), over TLS connections that are already open.

In → a ``HttpRequest``; out → one ``HttpResponse``, or for watches, logs and exec a ``HttpResponse(stream=True)``
followed by ``HttpChunk`` messages and a ``HttpEnd``. A client that goes away says ``HttpCancel``.

Simplified here: clients inside the world hand JSON documents across (``doc``) instead of bytes; they are encoded only
where somebody looks at the bytes. A document is never changed in place by either side.
"""

from typing import Any

from msgspec import Struct

Headers = tuple[tuple[str, str], ...]
"""Lower-case names, in the order they were sent."""


class TlsPeer(Struct, frozen=True):
    """What the TLS handshake proved about the client."""

    version: str = "TLSv1.3"
    cipher: str = "TLS_AES_128_GCM_SHA256"
    server_name: str = ""
    common_name: str = ""
    """Subject CN of the client certificate: the user. Empty: no certificate was given."""
    organizations: tuple[str, ...] = ()
    """Subject O values: the groups."""
    issuer: str = ""
    not_after: str = ""
    error: str = ""
    """Why the certificate is not trusted (OpenSSL's words), empty when it is or when there is none."""
    fingerprint: str = ""
    """SHA-256 of the certificate (DER), lower-case hex; empty for clients inside the world, which have no bytes."""


class HttpRequest(Struct, frozen=True, tag=True):
    """One request. ``id`` is world-unique (``out.next_id()``) and names its trace. ``query`` is raw, without "?"."""

    id: int
    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    doc: Any = None
    """The body as a JSON document, from clients inside the world; then ``body`` is empty."""
    peer: TlsPeer = TlsPeer()
    remote: str = ""
    """The client's address "ip:port" as the server sees it."""

    def header(self, name: str, default: str = "") -> str:
        """The first header of that lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return default


class HttpResponse(Struct, frozen=True, tag=True):
    """The answer to request ``id``. Either ``body`` (bytes) or ``doc`` (a document still to be encoded)."""

    id: int
    code: int
    headers: Headers = ()
    body: bytes = b""
    doc: Any = None
    stream: bool = False


class HttpChunk(Struct, frozen=True, tag=True):
    """A piece of a streamed answer (server → client) or of an upgraded connection (both ways)."""

    id: int
    data: bytes = b""
    doc: Any = None
    """For a watch: the event document {"type", "object"}; the bytes on the wire are its JSON and a newline."""
    channel: int = -1
    """v5.channel.k8s.io channel number for exec and attach; -1 for plain streams."""


class HttpEnd(Struct, frozen=True, tag=True):
    """The streamed answer is complete. ``error``: it was cut instead, and why."""

    id: int
    error: str = ""


class HttpCancel(Struct, frozen=True, tag=True):
    """The client closed the connection of request ``id``."""

    id: int


class HttpReset(Struct, frozen=True, tag=True):
    """The connection that carried request ``id`` broke before an answer: "connection reset by peer" or similar."""

    id: int
    error: str
