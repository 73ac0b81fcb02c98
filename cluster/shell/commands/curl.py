"""``curl``: plain HTTP to the API server, over the same simulated network as everything else.

``-X -H -d --data --data-binary --json -k --cacert --cert --key -s -S -i -I -D -o -w -v -f -u -G -L -A -m --url``; ``@file`` and ``@-`` bodies. TLS is
decided here as a real curl would: without ``-k`` the server's certificate must lead to a CA given by ``--cacert``, or exit 60.

Only the cluster's own address can be reached; anything else is refused as unreachable, for there is no other network.
Upstream: curl 8 (texts and exit codes).
"""

import re
from base64 import b64encode
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from msgspec import Struct, field

from cluster.shell.effects import Answer, Cancel, Effect, Http, Next
from cluster.shell.interpreter import Context, Run
from cluster.shell.session import FileError
from cluster.shell.tls import peer_of_files, trusts
from cluster.sim.clock import SECOND
from cluster.wire.http import TlsPeer

NAMES = ("curl",)

VERSION = "8.5.0"
_UNKNOWN_CA = """curl: (60) SSL certificate problem: unable to get local issuer certificate
More details here: https://curl.se/docs/sslcerts.html

curl failed to verify the legitimacy of the server and therefore could not
establish a secure connection to it. To learn more about this situation and
how to fix it, please visit the web page mentioned above.
"""
_VALUES = {
    "X": "method", "request": "method", "H": "header", "header": "header", "d": "data", "data": "data",
    "data-raw": "raw", "data-ascii": "data", "data-binary": "binary", "json": "json", "data-urlencode": "encode", "cacert": "cacert",
    "cert": "cert", "E": "cert", "key": "key", "o": "output", "output": "output", "w": "write", "write-out": "write",
    "D": "dump", "dump-header": "dump", "u": "user", "user": "user", "A": "agent", "user-agent": "agent", "m": "timeout",
    "max-time": "timeout", "connect-timeout": "connect", "url": "url", "oauth2-bearer": "bearer", "retry": "retry",
}  # fmt: skip
_FLAGS = {
    "k": "insecure", "insecure": "insecure", "s": "silent", "silent": "silent", "S": "show", "show-error": "show", "i": "include",
    "include": "include", "I": "head", "head": "head", "v": "verbose", "verbose": "verbose", "f": "fail", "fail": "fail",
    "G": "get", "get": "get", "L": "location", "location": "location", "N": "nobuffer", "no-buffer": "nobuffer", "g": "globoff",
    "globoff": "globoff", "compressed": "compressed", "http1.1": "http1", "http2": "http2", "fail-with-body": "failbody", "V": "version",
    "version": "version", "h": "help", "help": "help", "#": "progress", "progress-bar": "progress",
}  # fmt: skip
_REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 301: "Moved Permanently", 304: "Not Modified", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 409: "Conflict",
    410: "Gone", 413: "Request Entity Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Entity",
    429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip
_URL = re.compile(r"(?:(https?)://)?(\[[^\]]*\]|[^/:?#]+)(?::(\d+))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE)


class _Failure(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Options(Struct):
    flags: dict[str, bool] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)


def run(ctx: Context) -> Run:
    """Status: curl's exit code."""
    from cluster.shell.commands import node  # (a command may stand in for another)

    urls = [_URL.fullmatch(word) for word in ctx.args if not word.startswith("-")]
    own = _URL.fullmatch(ctx.config.server_url)
    if ctx.session.host or any(
        url and url[2] != (own[2] if own else "") and node.is_node_address(ctx, url[2]) for url in urls
    ):
        return (yield from node.network(ctx, ["curl", *ctx.args]))
    try:
        options = _parse(ctx)
        if "version" in options.flags:
            ctx.out(f"curl {VERSION} (the console's own)\nProtocols: http https\n")
            return 0
        if "help" in options.flags:
            ctx.out("Usage: curl [options...] <url>\n")
            return 0
        if not options.urls:
            raise _Failure(2, "no URL specified\ncurl: try 'curl --help' or 'curl --manual' for more information")
        status = 0
        for url in options.urls:
            status = yield from _transfer(ctx, options, url)
        return status
    except _Failure as failure:
        return _complain(ctx, {}, failure)


def _complain(ctx: Context, flags: dict[str, bool], failure: _Failure) -> int:
    if "silent" not in flags or "show" in flags:
        text = str(failure)
        ctx.err(text if text.startswith("curl: ") else f"curl: ({failure.code}) {text}\n")
    return failure.code


def _parse(ctx: Context) -> _Options:
    options = _Options()
    words = list(ctx.args)
    while words:
        word = words.pop(0)
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            if name in _FLAGS and len(name) > 1:
                options.flags[_FLAGS[name]] = True
            elif name in _VALUES and len(name) > 1:
                if not equals:
                    if not words:
                        raise _Failure(2, f"curl: option --{name}: requires parameter\n{_TRY}")
                    value = words.pop(0)
                _take(ctx, options, _VALUES[name], value)
            else:
                raise _Failure(2, f"curl: option {word}: is unknown\n{_TRY}")
        elif word.startswith("-") and len(word) > 1:
            at = 1
            while at < len(word):
                letter = word[at]
                at += 1
                if letter in _FLAGS:
                    options.flags[_FLAGS[letter]] = True
                elif letter in _VALUES:
                    value = word[at:]
                    if not value:
                        if not words:
                            raise _Failure(2, f"curl: option -{letter}: requires parameter\n{_TRY}")
                        value = words.pop(0)
                    _take(ctx, options, _VALUES[letter], value)
                    break
                else:
                    raise _Failure(2, f"curl: option -{letter}: is unknown\n{_TRY}")
        else:
            options.urls.append(word)
    return options


_TRY = "curl: try 'curl --help' or 'curl --manual' for more information\n"


def _take(ctx: Context, options: _Options, name: str, value: str) -> None:
    match name:
        case "header":
            options.headers.append(value)
        case "url":
            options.urls.append(value)
        case "data" | "binary" | "json":
            text = value
            if value.startswith("@"):
                text = _body(ctx, value[1:])
                text = re.sub(r"[\r\n]", "", text) if name == "data" else text
            options.data.append(text)
            if name == "json":
                options.headers += ["Content-Type: application/json", "Accept: application/json"]
        case "raw" | "encode":
            options.data.append(value)
        case _:
            options.values[name] = value


def _body(ctx: Context, name: str) -> str:
    if name == "-":
        return ctx.stdin
    try:
        return ctx.files.read(name)
    except FileError:
        raise _Failure(26, f"Failed to open {name}") from None


def _transfer(ctx: Context, options: _Options, url: str) -> Run:
    try:
        return (yield from _attempt(ctx, options, url))
    except _Failure as failure:
        return _complain(ctx, options.flags, failure)


def _attempt(ctx: Context, options: _Options, url: str) -> Run:
    match = _URL.fullmatch(url)
    if match is None:
        raise _Failure(3, "URL using bad/illegal format or missing URL")
    scheme, host, port, path, query = match.groups()
    scheme = (scheme or "http").lower()
    port = port or ("443" if scheme == "https" else "80")
    server = _URL.fullmatch(ctx.config.server_url)
    assert server is not None
    own = {server[2], "localhost" if server[2] == "127.0.0.1" else server[2], "kubernetes", "kubernetes.default"}
    if host.lower() not in own or (host.lower() in (server[2], "localhost") and port != server[3]):
        raise _unreachable(host, port)
    prefix = server[4].rstrip("/")
    method, body, headers = _request(options, host, port)
    if "get" in options.flags and options.data:
        query, body = "&".join([*([query] if query else []), *options.data]), b""
    target = (path or "/") + (f"?{query}" if query else "")
    if "verbose" in options.flags:
        _talk_connect(ctx, host, port, scheme)
    peer = TlsPeer()
    if scheme == "https":
        peer = _handshake(ctx, options)
    if "verbose" in options.flags:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        ctx.err("".join(f"> {line}\n" for line in [*lines, ""]))
    if scheme == "http":
        ctx.out("Client sent an HTTP request to an HTTPS server.\n")
        _write_out(ctx, options, 400, 48)
        return 0
    sent = tuple((name.lower(), value) for name, value in headers)
    local = path[len(prefix) :] if prefix and path.startswith(prefix) else path
    answer = yield Http(method, local or "/", query or "", sent, None, body, peer)
    if not answer.code:
        raise _Failure(*{
            "refused": (7, f"Failed to connect to {host} port {port} after 0 ms: Couldn't connect to server"),
            "timeout": (28, f"Failed to connect to {host} port {port} after 90000 ms: Couldn't connect to server"),
        }.get(answer.error, (56, "OpenSSL SSL_read: Connection reset by peer, errno 104")))  # fmt: skip
    return (yield from _receive(ctx, options, method, answer))


def _unreachable(host: str, port: str) -> _Failure:
    if re.fullmatch(r"[\d.]+|\[.*\]", host):
        why = f"Failed to connect to {host} port {port}: this console reaches the cluster's API server only"
        return _Failure(7, why)
    return _Failure(6, f"Could not resolve host: {host}")


def _request(options: _Options, host: str, port: str) -> tuple[str, bytes, list[tuple[str, str]]]:
    body = "&".join(options.data).encode("utf-8", "surrogateescape")
    method = options.values.get("method") or ("HEAD" if "head" in options.flags else "POST" if options.data else "GET")
    if "get" in options.flags:
        method = options.values.get("method") or "GET"
    headers = [
        ("Host", f"{host}:{port}"),
        ("User-Agent", options.values.get("agent", f"curl/{VERSION}")),
        ("Accept", "*/*"),
    ]
    if "user" in options.values:
        headers.insert(1, ("Authorization", "Basic " + b64encode(options.values["user"].encode()).decode()))
    if "bearer" in options.values:
        headers.insert(1, ("Authorization", "Bearer " + options.values["bearer"]))
    if options.data and "get" not in options.flags:
        headers.append(("Content-Length", str(len(body))))
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
    for line in options.headers:
        name, colon, value = line.partition(":")
        if not colon:
            name, value = line.rstrip(";"), ""
        headers = [each for each in headers if each[0].lower() != name.strip().lower() or name.strip().lower() == "x"]
        if value.strip() or line.endswith(";"):
            headers.append((name.strip(), value.strip()))
    return method, body, headers


def _handshake(ctx: Context, options: _Options) -> TlsPeer:
    """The TLS handshake: does this client trust the server, and what does it show of itself?"""
    if "insecure" not in options.flags:
        name = options.values.get("cacert")
        if name is None:
            raise _Failure(60, _UNKNOWN_CA)
        try:
            trusted = trusts(ctx.files.read(name), ctx.config.ca_pem)
        except (FileError, ValueError):
            raise _Failure(77, f"error setting certificate verify locations:  CAfile: {name} CApath: none") from None
        if not trusted:
            raise _Failure(60, _UNKNOWN_CA)
    if "cert" not in options.values:
        return TlsPeer()
    certificate, key = options.values["cert"], options.values.get("key", options.values["cert"])
    try:
        return peer_of_files(ctx.files.read(certificate), ctx.files.read(key), ctx.config.ca_pem)
    except (FileError, ValueError):
        why = f"could not load PEM client certificate from {certificate}, OpenSSL error error:80000002:system library::No such file or directory, (no key found, wrong pass phrase, or wrong file format?)"
        raise _Failure(58, why) from None


def _talk_connect(ctx: Context, host: str, port: str, scheme: str) -> None:
    ctx.err(f"*   Trying {host}:{port}...\n* Connected to {host} ({host}) port {port}\n")
    if scheme == "https":
        ctx.err(
            "* ALPN: curl offers h2,http/1.1\n* TLSv1.3 (OUT), TLS handshake, Client hello (1):\n"
            "* TLSv1.3 (IN), TLS handshake, Server hello (2):\n"
            "* SSL connection using TLSv1.3 / TLS_AES_128_GCM_SHA256 / X25519 / RSASSA-PSS\n"
            "* ALPN: server accepted http/1.1\n"
        )
    ctx.err("* using HTTP/1.x\n")


def bytes_of(answer: Answer) -> bytes:
    """The body as it is on the wire: documents become JSON as the server writes it for curl (indented)."""
    if answer.doc is None:
        return answer.body
    return orjson.dumps(answer.doc, option=orjson.OPT_INDENT_2)


def _receive(ctx: Context, options: _Options, method: str, answer: Answer) -> Generator[Effect, Answer, int]:
    head = _head(answer, ctx)
    if "verbose" in options.flags:
        ctx.err("".join(f"< {line}\n" for line in head.split("\r\n")[:-1]))
    if "dump" in options.values:
        _store(ctx, options.values["dump"], head)
    if "include" in options.flags or "head" in options.flags:
        ctx.out(head)
    failed = answer.code >= 400 and "fail" in options.flags
    size = 0
    target = options.values.get("output")
    collected: list[str] = []

    def show(data: bytes) -> None:
        nonlocal size
        size += len(data)
        text = data.decode("utf-8", "surrogateescape")
        if target and target != "-":
            collected.append(text)
        elif not failed:
            ctx.out(text)

    if method != "HEAD":
        show(bytes_of(answer))
        status = yield from _stream(ctx, options, answer, show)
        if status:
            return status
    if collected:
        _store(ctx, target or "-", "".join(collected))
    elif target and target != "-":
        _store(ctx, target, "")
    _write_out(ctx, options, answer.code, size)
    if failed:
        raise _Failure(22, f"The requested URL returned error: {answer.code}")
    return 0


def _stream(ctx: Context, options: _Options, answer: Answer, show: Any) -> Generator[Effect, Answer, int]:
    """The rest of a streamed answer (a watch, logs)."""
    if not answer.stream:
        return 0
    limit = options.values.get("timeout", "")
    until = ctx.now + int(float(limit) * SECOND) if limit.replace(".", "").isdigit() else 0
    while True:
        left = max(until - ctx.now, 1) if until else 0
        piece = yield Next(answer.id, left)
        if piece.error == "timeout":
            yield Cancel(answer.id)
            raise _Failure(
                28, f"Operation timed out after {int(float(limit) * 1000)} milliseconds with 0 bytes received"
            )
        if piece.end:
            if piece.error:
                raise _Failure(18, "transfer closed with outstanding read data remaining")
            return 0
        show(orjson.dumps(piece.doc) + b"\n" if piece.doc is not None else piece.body)


def _head(answer: Answer, ctx: Context) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ctx.config.epoch + answer.now // SECOND)
    lines = [f"HTTP/1.1 {answer.code} {_REASONS.get(answer.code, '')}"]
    names = [name for name, _ in answer.headers]
    lines += [f"{'-'.join(part.capitalize() for part in name.split('-'))}: {value}" for name, value in answer.headers]
    if "date" not in names:
        lines.append(moment.strftime("Date: %a, %d %b %Y %H:%M:%S GMT"))
    if "content-length" not in names and not answer.stream:
        lines.append(f"Content-Length: {len(bytes_of(answer))}")
    return "".join(line + "\r\n" for line in [*lines, ""])


def _store(ctx: Context, name: str, text: str) -> None:
    if name == "-":
        ctx.out(text)
        return
    try:
        ctx.files.write(name, text)
    except FileError:
        raise _Failure(23, "Failure writing output to destination") from None


def _write_out(ctx: Context, options: _Options, code: int, size: int) -> None:
    form = options.values.get("write")
    if form:
        known = {"http_code": f"{code:03}", "response_code": f"{code:03}", "size_download": str(size), "exitcode": "0"}
        text = re.sub(r"%\{(\w+)\}", lambda match: known.get(match[1], ""), form)
        ctx.out(text.replace("\\n", "\n").replace("\\t", "\t").replace("%%", "%"))
