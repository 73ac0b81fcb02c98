"""Who listens in a container, and what it answers: small honest models of the images people use to try a Service.

In: a container's spec → out: its ``Listener``s; a request to one of them → out: the answer. A known image listens where it does by
itself, whatever its ``containerPort`` says (nginx on 80); of an unknown one every declared ``containerPort`` answers HTTP.

Simplified here: no program runs; pages are the first lines of the real ones; an unknown image's page is the pod's name.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from cluster.wire.packet import Listener

KNOWN: dict[str, tuple[tuple[str, int, str], ...]] = {
    "nginx": (("tcp", 80, "nginx"),),
    "nginx-unprivileged": (("tcp", 8080, "nginx"),),
    "httpd": (("tcp", 80, "httpd"),),
    "whoami": (("tcp", 80, "whoami"),),
    "echoserver": (("tcp", 8080, "echo"),),
    "echo-server": (("tcp", 8080, "echo"),),
    "hello-app": (("tcp", 8080, "hello-app"),),
    "http-echo": (("tcp", 5678, "http-echo"),),
    "serve_hostname": (("tcp", 9376, "hostname"),),
    "redis": (("tcp", 6379, "redis"),),
    "memcached": (("tcp", 11211, "silent"),),
    "postgres": (("tcp", 5432, "silent"),),
    "mysql": (("tcp", 3306, "silent"),),
    "mongo": (("tcp", 27017, "silent"),),
    "coredns": (("udp", 53, "coredns"), ("tcp", 53, "coredns"), ("tcp", 8080, "ok"), ("tcp", 8181, "ok"), ("tcp", 9153, "metrics")),
    "kube-apiserver": (("tcp", 6443, "apiserver"),),
    "kube-controller-manager": (("tcp", 10257, "https"),),
    "kube-scheduler": (("tcp", 10259, "https"),),
    "etcd": (("tcp", 2379, "https"), ("tcp", 2380, "https"), ("tcp", 2381, "metrics")),
}  # fmt: skip
"""Image's last path element → (protocol, port, program)."""
SHELLS = ("busybox", "alpine", "debian", "ubuntu", "bash", "netshoot", "curl", "dnsutils", "jessie-dnsutils")
"""Images whose own command is a shell: only what the command starts listens."""


class Request(Struct, frozen=True, tag=True):
    """What an HTTP client sent. ``tls``: over TLS, accepting any certificate."""

    method: str
    path: str
    host: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    tls: bool = False


class Answer(Struct, frozen=True, tag=True):
    """What an HTTP server said. ``broken``: it isn't HTTP, or not TLS where TLS was wanted: curl's words."""

    code: int = 200
    body: str = ""
    kind: str = "text/html"
    server: str = ""
    broken: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Place(Struct, frozen=True):
    """Who answers: the pod's (or host's) name, namespace, node, address; and who asked."""

    hostname: str
    address: str
    client: str
    client_port: int
    node: str = ""


def listeners(image: str, spec: Mapping[str, Any], started: str = "") -> tuple[Listener, ...]:
    """What the container listens on. ``image``: its short name."""
    words = [*(spec.get("command") or ()), *(spec.get("args") or ())]
    text = " ".join(words)
    found = _started_by(text)
    if found:
        return found
    if image == "agnhost":
        return _agnhost(words)
    if image == "http-echo":
        port = re.search(r"-listen[= ][\w.]*:(\d+)", text)
        said = re.search(r'-text[= ]"?(.*?)"?(?: -|$)', text)
        return (Listener("tcp", int(port[1]) if port else 5678, "http-echo", said[1] if said else "hello-world"),)
    if image in KNOWN and not (spec.get("command") and image in ("nginx", "httpd") and _only_shell(words)):
        return tuple(Listener(protocol, port, app) for protocol, port, app in KNOWN[image])
    if image in SHELLS or _only_shell(words):
        return ()
    ports = spec.get("ports") or ()
    return tuple(
        Listener(p.get("protocol", "TCP").lower(), p["containerPort"], "echo-udp" if p.get("protocol") == "UDP" else "hostname")
        for p in ports
    )  # fmt: skip


def _only_shell(words: list[str]) -> bool:
    return bool(words) and words[0].rsplit("/", 1)[-1] in ("sh", "bash", "ash", "sleep", "tail", "cat", "true", "false")


def _started_by(text: str) -> tuple[Listener, ...]:
    """Servers that a command line starts: ``httpd -p 8080``, ``nc -l -p 9000``, ``python -m http.server 8000``."""
    found: list[Listener] = []
    for match in re.finditer(r"\bpython3? -m http\.server(?: (\d+))?", text):
        found.append(Listener("tcp", int(match[1] or 8000), "python"))
    for match in re.finditer(r"(?:^|[\s;&|])(?:busybox )?httpd\b([^;&|]*)", text):
        port = re.search(r"-p\s*(?:[\d.]+:)?(\d+)", match[1])
        found.append(Listener("tcp", int(port[1]) if port else 80, "busybox-httpd"))
    for match in re.finditer(r"\b(?:nc|ncat|netcat)\b([^;&|]*)", text):
        port = re.search(r"-[a-z]*p\s*(\d+)|-[a-z]*l[a-z]*\s+(?:-\w+\s+)*(\d+)", match[1])
        if re.search(r"-\w*l", match[1]) and port:
            found.append(Listener("udp" if re.search(r"-\w*u", match[1]) else "tcp", int(port[1] or port[2]), "nc"))
    return tuple(found)


def _agnhost(words: list[str]) -> tuple[Listener, ...]:
    text = " ".join(words)

    def port(name: str, default: int) -> int:
        found = re.search(rf"--{name}[= ](\d+)", text)
        return int(found[1]) if found else default

    if "serve-hostname" in words:
        return (Listener("tcp", port("port", 9376), "hostname"),)
    if "netexec" in words:
        return (
            Listener("tcp", port("http-port", 8080), "netexec"),
            Listener("udp", port("udp-port", 8081), "echo-udp"),
        )
    return ()


def http(listener: Listener, request: Request, place: Place) -> Answer:
    """The server's answer to one HTTP request."""
    path = request.path.split("?")[0]
    if request.tls and listener.app not in ("apiserver", "https"):
        return Answer(broken="tls")
    match listener.app:
        case "nginx":
            if path in ("/", "/index.html"):
                return Answer(200, NGINX, server="nginx/1.27.5")
            return Answer(404, _NOT_FOUND.format(server="nginx/1.27.5"), server="nginx/1.27.5")
        case "httpd":
            if path == "/":
                return Answer(200, "<html><body><h1>It works!</h1></body></html>\n", server="Apache/2.4.63 (Unix)")
            return Answer(404, "<title>404 Not Found</title>\n", server="Apache/2.4.63 (Unix)")
        case "whoami":
            body = (
                f"Hostname: {place.hostname}\nIP: 127.0.0.1\nIP: {place.address}\nRemoteAddr: {place.client}:{place.client_port}\n"
                f"{request.method} {request.path} HTTP/1.1\nHost: {request.host}\n"
                + "".join(f"{name}: {value}\n" for name, value in request.headers)
            )
            return Answer(200, body, "text/plain; charset=utf-8")
        case "http-echo":
            return Answer(200, listener.arg + "\n", "text/plain; charset=utf-8", headers=(("X-App-Name", "http-echo"),))
        case "hello-app":
            return Answer(
                200, f"Hello, world!\nVersion: 1.0.0\nHostname: {place.hostname}\n", "text/plain; charset=utf-8"
            )
        case "echo":
            body = (
                f"\n\nHostname: {place.hostname}\n\nPod Information:\n\t-no pod information available-\n\nRequest Information:\n"
                f"\tclient_address={place.client}\n\tmethod={request.method}\n\treal path={request.path}\n\trequest_version=1.1\n"
                f"\trequest_scheme=http\n\trequest_uri=http://{request.host}{request.path}\n\n"
            )
            return Answer(200, body, "text/plain", server="nginx")
        case "netexec":
            known = {
                "/clientip": f"{place.client}:{place.client_port}", "/hostname": place.hostname, "/hostName": place.hostname,
                "/healthz": "ok", "/": "NOW: (date)",
            }  # fmt: skip
            return (
                Answer(200, known[path], "text/plain")
                if path in known
                else Answer(404, "404 page not found\n", "text/plain")
            )
        case "hostname":
            return Answer(200, place.hostname + "\n", "text/plain; charset=utf-8")
        case "python":
            return Answer(200, "<!DOCTYPE HTML>\n<html lang=\"en\">\n<title>Directory listing for /</title>\n", server="SimpleHTTP/0.6 Python/3")  # fmt: skip
        case "busybox-httpd":
            return Answer(404, "<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>\n<BODY><H1>404 Not Found</H1>\nThe requested URL was not found\n</BODY></HTML>\n")  # fmt: skip
        case "ok":
            return Answer(200, "OK", "text/plain; charset=utf-8")
        case "metrics":
            return Answer(200, "# metrics of this process are on the product's own /metrics\n", "text/plain")
        case "https":
            if not request.tls:
                return Answer(400, "Client sent an HTTP request to an HTTPS server.\n", "text/plain")
            return Answer(403, "Forbidden", "text/plain")
        case "redis":
            return Answer(broken="http0.9")
        case _:
            return Answer(broken="empty")


def datagram(listener: Listener, text: str, place: Place) -> str | None:
    """The answer to a datagram, or None for silence."""
    if listener.app == "echo-udp":
        command = text.strip().lower()
        if command == "hostname":
            return place.hostname
        if command == "clientip":
            return f"{place.client}:{place.client_port}"
        return text.removeprefix("echo ") if text.startswith("echo ") else None
    return None


NGINX = """<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
"""
_NOT_FOUND = """<html>
<head><title>404 Not Found</title></head>
<body>
<center><h1>404 Not Found</h1></center>
<hr><center>{server}</center>
</body>
</html>
"""
