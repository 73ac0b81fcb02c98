"""``nslookup``: BusyBox's where the image's tools are BusyBox's, else BIND's.

BusyBox asks for A and AAAA of a name without dots under every suffix of the search path, and says of each what came; a name with dots is taken as it
stands. BIND's walks the search path by ``ndots`` and says only what it found.

Upstream: busybox 1.36 networking/nslookup.c, BIND 9.18 bin/dig/nslookup.c (texts).
"""

from ipaddress import ip_address

from cluster.network.effects import Console, Run
from cluster.network.resolve import ask, candidates, is_address
from cluster.wire.dns import DnsRecord, DnsReply

NAMES = ("nslookup",)
LOST = ";; connection timed out; no servers could be reached\n"


def run(console: Console, words: list[str]) -> Run:
    """0 if something was found."""
    kind, names = "", []
    for word in words[1:]:
        if word.startswith(("-type=", "-q=", "-query=", "-querytype=")):
            kind = word.partition("=")[2].upper()
        elif not word.startswith("-"):
            names.append(word)
    if not names:
        console.err("nslookup: interactive mode is not simulated: say a name\n")
        return 1
    server = names[1] if len(names) > 1 else (console.resolver.nameservers or ("127.0.0.1",))[0]
    name = names[0]
    if is_address(name):
        name, kind = ip_address(name).reverse_pointer, "PTR"
    if console.busybox:
        return (yield from _busybox(console, server, name, kind))
    return (yield from _bind(console, server, name, kind))


def _busybox(console: Console, server: str, name: str, kind: str) -> Run:
    asked = [name.rstrip(".")]
    if kind != "PTR" and "." not in name and console.resolver.search:
        asked = [f"{name}.{suffix}" for suffix in console.resolver.search]
    errors = 0
    told = False
    for of in [kind] if kind else ["A", "AAAA"]:
        for one in asked:
            reply = yield from ask(console, server, one, of)
            if isinstance(reply, str):
                if not told and reply == "refused":
                    console.err(f"nslookup: read: Connection refused\n")  # noqa: F541
                console.err(LOST + "\n")
                return 1
            if not told:
                console.out(f"Server:\t\t{server}\nAddress:\t{server}:53\n\n")
                told = True
            if reply.code != "NOERROR":
                console.out(f"** server can't find {one}: {reply.code}\n\n")
                errors += 1
                continue
            lines = [_line(record) for record in (*reply.answers, *(reply.extra if of == "SRV" else ()))]
            console.out(("" if reply.authoritative else "Non-authoritative answer:\n") + "".join(lines) + "\n")
    return 1 if errors else 0


def _bind(console: Console, server: str, name: str, kind: str) -> Run:
    tried = [name.rstrip(".")] if kind == "PTR" else candidates(name, console.resolver)
    last: DnsReply | None = None
    for one in tried:
        reply = yield from ask(console, server, one, kind or "A")
        if isinstance(reply, str):
            what = "timed out" if reply == "timeout" else "connection refused"
            console.out(
                f";; communications error to {server}#53: {what}\n" * 3 + ";; no servers could be reached\n\n\n"
            )
            return 1
        last = reply
        if reply.code == "NOERROR" and (reply.answers or one == tried[-1]):
            console.out(f"Server:\t\t{server}\nAddress:\t{server}#53\n\n")
            if not reply.answers:
                console.out(f"*** Can't find {name}: No answer\n\n")
                return 0
            console.out("".join(_line(record) for record in reply.answers) + "\n")
            return 0
    console.out(f"Server:\t\t{server}\nAddress:\t{server}#53\n\n** server can't find {tried[-1]}: {last.code if last else 'NXDOMAIN'}\n\n")  # fmt: skip
    return 1


def _line(record: DnsRecord) -> str:
    match record.kind:
        case "A" | "AAAA":
            return f"Name:\t{record.name}\nAddress: {record.data}\n"
        case "SRV":
            return f"{record.name}\tservice = {record.data}\n"
        case "CNAME":
            return f"{record.name}\tcanonical name = {record.data}\n"
        case "PTR":
            return f"{record.name}\tname = {record.data}\n"
        case _:
            return f"{record.name}\t{record.kind} = {record.data}\n"
