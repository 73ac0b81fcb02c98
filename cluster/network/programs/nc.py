"""``nc -z -v -u -w``: is there somebody? What is piped in is sent: a datagram, or an HTTP request typed by hand. Listening is what a container's own command does (``cluster.network.servers``).

Upstream: busybox 1.36 networking/nc_bloaty.c, OpenBSD netcat (texts).
"""

import re

from cluster.network.effects import Call, Console, Run
from cluster.network.programs.curl import answer_head
from cluster.network.resolve import resolve
from cluster.network.servers import Answer, Request
from cluster.sim import SECOND

NAMES = ("nc", "ncat", "netcat")
SERVICES = {
    22: "ssh",
    53: "domain",
    80: "http",
    443: "https",
    3306: "mysql",
    5432: "postgresql",
    6379: "redis",
    6443: "*",
    8080: "http-alt",
}


def run(console: Console, words: list[str]) -> Run:
    """0 if the connection was made."""
    zero, verbose, udp, limit = False, False, False, 0
    names: list[str] = []
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 1):
                if letter == "w":
                    value = word[at + 1 :] or (rest.pop(0) if rest else "0")
                    limit = int(value) * SECOND if value.isdigit() else 0
                    break
                if letter == "l":
                    console.err("nc: listening from an exec is not simulated: let a container's command listen\n")
                    return 1
                zero, verbose, udp = zero or letter == "z", verbose or letter == "v", udp or letter == "u"
        else:
            names.append(word)
    if len(names) < 2 or not names[1].isdigit():
        console.err("nc: usage: nc [-zvu] [-w SEC] HOST PORT\n")
        return 1
    host, port = names[0], int(names[1])
    found = yield from resolve(console, host)
    if not found.addresses:
        console.err(f"nc: bad address '{host}'\n" if console.busybox else f"nc: getaddrinfo for host \"{host}\" port {port}: Name or service not known\n")  # fmt: skip
        return 1
    address = found.addresses[0]
    payload: str | Request | None = console.stdin if udp else None
    typed = re.match(r"(GET|HEAD) (\S+)", console.stdin)
    if not udp and not zero and typed:
        payload = Request(typed[1], typed[2], host)
    elif not udp and not zero and console.stdin:
        payload = console.stdin
    console.now, done = yield Call("udp" if udp else "tcp", address, port, payload, limit or (SECOND if udp else 0))
    assert done is not None
    error = "" if udp and done.error == "timeout" else done.error
    shown = f"{host} ({address}:{port})"
    if error:
        reason = {"refused": "Connection refused", "timeout": "Operation timed out", "unreachable": "No route to host"}.get(error, "Connection reset by peer")  # fmt: skip
        if console.busybox:
            if verbose or not zero:
                console.err(f"nc: {shown}: {reason}\n")
        elif verbose:
            console.err(f"nc: connect to {host} ({address}) port {port} ({'udp' if udp else 'tcp'}) failed: {reason}\n")
        return 1
    if verbose:
        name = SERVICES.get(port, "*")
        proto = "udp" if udp else "tcp"
        console.err(
            f"{shown} open\n"
            if console.busybox
            else f"Connection to {host} ({address}) {port} port [{proto}/{name}] succeeded!\n"
        )
    if not zero and isinstance(done.payload, str | Answer):
        console.out(done.payload if isinstance(done.payload, str) else _answer(done.payload, payload))
    return 0


def _answer(answer: Answer, asked: str | Request | None) -> str:
    """An HTTP server's answer as it comes over the wire."""
    if answer.broken or not isinstance(asked, Request):
        return ""
    head = [*answer_head(answer), "", ""]
    return "\r\n".join(head) + (answer.body if asked.method != "HEAD" else "")
