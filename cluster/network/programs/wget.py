"""BusyBox's ``wget``: ``-q -O -T -S --spider``. Upstream: busybox 1.36 networking/wget.c (texts)."""

import re

from cluster.network.effects import Call, Console, Run
from cluster.network.programs.curl import REASONS
from cluster.network.resolve import resolve
from cluster.network.servers import Answer, Request
from cluster.sim import SECOND

NAMES = ("wget",)
URL = re.compile(r"(?:(https?)://)?([^/:?#\[\]]+|\[[^\]]+\])(?::(\d+))?([^#]*)", re.IGNORECASE)


def run(console: Console, words: list[str]) -> Run:
    """0, or 1 for every failure."""
    quiet, output, limit, url, spider, headers = False, "", 0, "", False, False
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word == "--spider":
            spider = True
        elif word.startswith("--timeout"):
            limit = int(float(word.partition("=")[2] or (rest.pop(0) if rest else "0")) * SECOND)
        elif word.startswith("--tries") or word in ("--no-check-certificate", "-nv", "--quiet"):
            quiet = quiet or word == "--quiet"
        elif word.startswith("-") and len(word) > 1:
            at = 1
            while at < len(word):
                letter, at = word[at], at + 1
                if letter == "q":
                    quiet = True
                elif letter == "S":
                    headers = True
                elif letter in "OTtY":
                    value = word[at:] or (rest.pop(0) if rest else "")
                    at = len(word)
                    if letter == "O":
                        output = value
                    elif letter == "T" and value.replace(".", "", 1).isdigit():
                        limit = int(float(value) * SECOND)
                else:
                    console.err(f"wget: unrecognized option '-{letter}'\n")
                    return 1
        else:
            url = word
    match = URL.fullmatch(url)
    if not url or match is None:
        console.err("BusyBox v1.36.1 multi-call binary.\n\nUsage: wget [-cqS] [--spider] [-O FILE] URL...\n")
        return 1
    host, tls = match[2], (match[1] or "").lower() == "https"
    port, path = int(match[3] or (443 if tls else 80)), match[4] or "/"
    found = yield from resolve(console, host.strip("[]"))
    if not found.addresses:
        console.err(f"wget: bad address '{host if not match[3] else f'{host}:{port}'}'\n")
        return 1
    address = found.addresses[0]
    if not quiet:
        console.err(f"Connecting to {host if not match[3] else f'{host}:{port}'} ({address}:{port})\n")
    name = host if not match[3] else f"{host}:{port}"
    request = Request("HEAD" if spider else "GET", path if path.startswith("/") else f"/{path}", name, (("User-Agent", "Wget"),), tls=tls)  # fmt: skip
    console.now, done = yield Call("tcp", address, port, request, limit, limit)
    assert done is not None
    if done.error:
        words_of = {"refused": "Connection refused", "unreachable": "No route to host" if console.image != "alpine" else "Host is unreachable",
                    "reset": "Connection reset by peer", "timeout": "Connection timed out"}  # fmt: skip
        if done.error == "timeout" and limit:
            console.err("wget: download timed out\n")
        elif done.error == "reset":
            console.err("wget: error getting response: Connection reset by peer\n")
        else:
            console.err(f"wget: can't connect to remote host ({address}): {words_of[done.error]}\n")
        return 1
    answer = done.payload
    if not isinstance(answer, Answer) or answer.broken:
        console.err("wget: error getting response\n")
        return 1
    if headers:
        console.err(f"  HTTP/1.1 {answer.code} {REASONS.get(answer.code, '')}\n  Content-Type: {answer.kind}\n")
    if answer.code >= 400:
        console.err(f"wget: server returned error: HTTP/1.1 {answer.code} {REASONS.get(answer.code, '')}\n")
        return 1
    if spider:
        if not quiet:
            console.err("remote file exists\n")
        return 0
    size = len(answer.body.encode())
    target = output or (path.rpartition("/")[2] or "index.html")
    if target == "-":
        if not quiet:
            console.err("writing to stdout\n")
        console.out(answer.body)
        if not quiet:
            console.err(
                f"-                    100% |********************************|{size:>6}  0:00:00 ETA\nwritten to stdout\n"
            )
    elif not quiet:
        console.err(f"saving to '{target}'\n{target[:20]:<20} 100% |********************************|{size:>6}  0:00:00 ETA\n'{target}' saved\n")  # fmt: skip
    return 0
