"""``curl`` in a pod or on a node: a name looked up, a connection made, one request, its answer, curl's own words when it fails.

``-s -S -v -i -I -k -f -o -w -m --connect-timeout -H -X -d -L -4 --resolve``. Upstream: curl 8.5 (texts and exit codes).
"""

import re

from cluster.network.effects import Call, Console, Run
from cluster.network.resolve import resolve
from cluster.network.servers import Answer, Request
from cluster.sim import MILLISECOND, SECOND

NAMES = ("curl",)
VERSION = "8.5.0"
FLAGS = {"s": "silent", "S": "show", "v": "verbose", "i": "include", "I": "head", "k": "insecure", "f": "fail", "L": "location",
         "4": "four", "N": "nobuffer", "g": "globoff", "silent": "silent", "show-error": "show", "verbose": "verbose", "include": "include",
         "head": "head", "insecure": "insecure", "fail": "fail", "location": "location", "ipv4": "four", "no-buffer": "nobuffer",
         "no-progress-meter": "silent", "http1.1": "http1"}  # fmt: skip
VALUES = {"o": "output", "w": "write", "m": "time", "H": "header", "X": "method", "d": "data", "A": "agent", "output": "output",
          "write-out": "write", "max-time": "time", "connect-timeout": "connect", "header": "header", "request": "method",
          "data": "data", "user-agent": "agent", "url": "url", "resolve": "resolve", "retry": "retry"}  # fmt: skip
REASONS = {200: "OK", 201: "Created", 301: "Moved Permanently", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
           404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip
URL = re.compile(r"(?:(https?)://)?([^/:?#\[\]]+|\[[^\]]+\])(?::(\d+))?([^#]*)", re.IGNORECASE)
UNKNOWN_CA = """curl: (60) SSL certificate problem: unable to get local issuer certificate
More details here: https://curl.se/docs/sslcerts.html

curl failed to verify the legitimacy of the server and therefore could not
establish a secure connection to it. To learn more about this situation and
how to fix it, please visit the web page mentioned above.
"""


class _Fail(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def run(console: Console, words: list[str]) -> Run:
    """curl's exit code."""
    flags: dict[str, str] = {}
    headers: list[tuple[str, str]] = []
    urls: list[str] = []
    try:
        _options(words[1:], flags, headers, urls)
        if not urls:
            raise _Fail(2, "curl: try 'curl --help' or 'curl --manual' for more information\n")
        code = 0
        for url in urls:
            try:
                code = yield from _transfer(console, flags, headers, url)
            except _Fail as failure:
                code = _complain(console, flags, failure)
        return code
    except _Fail as failure:
        return _complain(console, flags, failure)


def _complain(console: Console, flags: dict[str, str], failure: _Fail) -> int:
    if "silent" not in flags or "show" in flags:
        text = str(failure)
        console.err(text if text.startswith("curl: ") else f"curl: ({failure.code}) {text}\n")
    if "write" in flags:
        console.out(_write_out(flags["write"], 0, 0))
    return failure.code


def _options(words: list[str], flags: dict[str, str], headers: list[tuple[str, str]], urls: list[str]) -> None:
    rest = list(words)

    def take(name: str, value: str) -> None:
        if name == "header":
            head, _, text = value.partition(":")
            headers.append((head.strip(), text.strip()))
        elif name == "url":
            urls.append(value)
        else:
            flags[name] = value

    while rest:
        word = rest.pop(0)
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            if len(name) > 1 and name in FLAGS:
                flags[FLAGS[name]] = "1"
            elif len(name) > 1 and name in VALUES and (equals or rest):
                take(VALUES[name], value if equals else rest.pop(0))
            else:
                raise _Fail(2, f"curl: option {word}: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n")  # fmt: skip
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 1):
                if letter in FLAGS:
                    flags[FLAGS[letter]] = "1"
                elif letter in VALUES and (word[at + 1 :] or rest):
                    take(VALUES[letter], word[at + 1 :] or rest.pop(0))
                    break
                else:
                    raise _Fail(2, f"curl: option -{letter}: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n")  # fmt: skip
        else:
            urls.append(word)


def _seconds(text: str) -> int:
    try:
        return int(float(text) * SECOND)
    except ValueError:
        return 0


def _transfer(console: Console, flags: dict[str, str], headers: list[tuple[str, str]], url: str) -> Run:
    match = URL.fullmatch(url)
    if match is None:
        raise _Fail(3, "URL rejected: Malformed input to a URL function")
    scheme, host, port_text, path = match[1] or "http", match[2], match[3], match[4] or "/"
    tls = scheme.lower() == "https"
    port = int(port_text or (443 if tls else 80))
    began = console.now
    whole, connect = _seconds(flags.get("time", "0")), _seconds(flags.get("connect", "0"))
    limit = min((t for t in (whole, connect) if t), default=0)
    console.deadline = began + limit if limit else 0
    found = yield from resolve(console, host.strip("[]"))
    console.deadline = 0
    if not found.addresses:
        if found.error == "timeout" and limit and console.now - began >= limit:
            raise _Fail(28, f"Resolving timed out after {limit // MILLISECOND} milliseconds")
        raise _Fail(6, f"Could not resolve host: {host}")
    address = found.addresses[0]
    if "verbose" in flags:
        console.err(f"* Host {host}:{port} was resolved.\n* IPv6: (none)\n* IPv4: {', '.join(found.addresses)}\n" if found.name != host or "." not in host or not host[0].isdigit() else "")  # fmt: skip
        console.err(f"*   Trying {address}:{port}...\n")
    method = "HEAD" if "head" in flags else flags.get("method") or ("POST" if "data" in flags else "GET")
    sent = (("User-Agent", flags.get("agent", f"curl/{VERSION}")), ("Accept", "*/*"), *headers)
    shown = f"{host}:{port}" if port_text else host
    request = Request(method, path if path.startswith("/") else f"/{path}", shown, sent, flags.get("data", ""), tls)
    console.now, done = yield Call("tcp", address, port, request, connect or whole, whole)
    assert done is not None
    took = (console.now - began) // MILLISECOND
    if done.error:
        raise _failed(done.error, host, port, took, whole, connect, bool(done.connected))
    answer = done.payload
    if "verbose" in flags:
        _talk(console, host, address, port, request)
    if tls and "insecure" not in flags and not (isinstance(answer, Answer) and answer.broken):
        raise _Fail(60, UNKNOWN_CA)
    return _show(console, flags, request, answer)


def _failed(error: str, host: str, port: int, took: int, whole: int, connect: int, connected: bool) -> _Fail:
    if error == "timeout" and connected:
        return _Fail(28, f"Operation timed out after {took} milliseconds with 0 bytes received")
    if error == "timeout" and whole and (not connect or whole <= connect):
        return _Fail(28, f"Connection timed out after {took} milliseconds")
    if error == "timeout" and connect:
        return _Fail(28, f"Failed to connect to {host} port {port} after {took} ms: Timeout was reached")
    if error == "reset":
        return _Fail(56, "Recv failure: Connection reset by peer")
    return _Fail(
        28 if error == "timeout" else 7,
        f"Failed to connect to {host} port {port} after {took} ms: Couldn't connect to server",
    )


def _talk(console: Console, host: str, address: str, port: int, request: Request) -> None:
    console.err(f"* Connected to {host} ({address}) port {port}\n")
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        f"Host: {request.host}",
        *(f"{n}: {v}" for n, v in request.headers),
        "",
    ]
    console.err("".join(f"> {line}\n" for line in lines))


def _show(console: Console, flags: dict[str, str], request: Request, answer: object) -> int:
    if not isinstance(answer, Answer):
        raise _Fail(52, "Empty reply from server")
    if answer.broken == "tls":
        raise _Fail(35, "OpenSSL/3.0.13: error:0A00010B:SSL routines::wrong version number")
    if answer.broken == "http0.9":
        raise _Fail(1, "Received HTTP/0.9 when not allowed")
    if answer.broken:
        raise _Fail(52, "Empty reply from server")
    body, head = answer.body, answer_head(answer)
    if "verbose" in flags:
        console.err("".join(f"< {line}\n" for line in [*head, ""]))
    failed = "fail" in flags and answer.code >= 400
    if "include" in flags or "head" in flags:
        console.out("".join(f"{line}\r\n" for line in [*head, ""]))
    if request.method != "HEAD" and not failed and flags.get("output") in (None, "-"):
        console.out(body)
    if failed:
        raise _Fail(22, f"The requested URL returned error: {answer.code}")
    if "write" in flags:
        console.out(_write_out(flags["write"], answer.code, len(body.encode())))
    return 0


def answer_head(answer: Answer) -> list[str]:
    """The status line and the headers."""
    return [
        f"HTTP/1.1 {answer.code} {REASONS.get(answer.code, '')}".rstrip(),
        *([f"Server: {answer.server}"] if answer.server else []),
        f"Content-Type: {answer.kind}",
        *(f"{n}: {v}" for n, v in answer.headers),
        f"Content-Length: {len(answer.body.encode())}",
    ]


def _write_out(form: str, code: int, size: int) -> str:
    known = {"http_code": f"{code:03}", "response_code": f"{code:03}", "size_download": str(size)}
    text = re.sub(r"%\{(\w+)\}", lambda found: known.get(found[1], ""), form)
    return text.replace("\\n", "\n").replace("\\t", "\t").replace("%%", "%")
