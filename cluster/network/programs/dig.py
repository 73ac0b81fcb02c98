"""``dig`` and ``host``: a question and the whole answer. ``+short +search +noall +answer -x @server``. Upstream: BIND 9.18 (texts)."""

from datetime import UTC, datetime
from ipaddress import ip_address

from cluster.network.effects import Console, Run
from cluster.network.resolve import ask, candidates, is_address
from cluster.sim import MILLISECOND
from cluster.wire.dns import DnsRecord, DnsReply

NAMES = ("dig", "host")
KINDS = ("A", "AAAA", "SRV", "PTR", "CNAME", "NS", "SOA", "TXT", "ANY")


def run(console: Console, words: list[str]) -> Run:
    """dig: 0, 9 without an answer; host: 1 for a name that isn't."""
    if words[0].endswith("host"):
        return (yield from _host(console, words))
    name, kind, server = "", "A", (console.resolver.nameservers or ("127.0.0.1",))[0]
    options: dict[str, bool] = {}
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word.startswith("@"):
            server = word[1:]
        elif word.startswith("+"):
            options[word[1:]] = True
        elif word == "-x" and rest:
            name, kind = ip_address(rest.pop(0)).reverse_pointer, "PTR"
        elif word in ("-t", "-q") and rest:
            value = rest.pop(0)
            name, kind = (name, value.upper()) if word == "-t" else (value, kind)
        elif (word.upper() in KINDS and name) or (word.upper() in KINDS and rest):
            kind = word.upper()
        else:
            name = word
    tried = candidates(name, console.resolver) if "search" in options else [name.rstrip(".")]
    began = console.now
    reply: DnsReply | str = "timeout"
    for one in tried:
        reply = yield from ask(console, server, one, kind)
        name = one
        if isinstance(reply, str) or (reply.code == "NOERROR" and reply.answers):
            break
    if isinstance(reply, str):
        what = "timed out" if reply == "timeout" else "connection refused"
        console.out(f";; communications error to {server}#53: {what}\n" * 3)
        console.out(
            f"\n; <<>> DiG 9.18.24 <<>> {' '.join(words[1:])}\n;; global options: +cmd\n;; no servers could be reached\n"
        )
        return 9
    if "short" in options:
        console.out("".join(f"{record.data}\n" for record in reply.answers))
        return 0
    took = (console.now - began) // MILLISECOND
    console.out(_text(words, name, kind, server, reply, took, options, console))
    return 0


def _record(record: DnsRecord) -> str:
    name = record.name + "."
    return f"{name}{chr(9) * max(1, 3 - len(name) // 8)}{record.ttl}\tIN\t{record.kind}\t{record.data}\n"


def _text(words: list[str], name: str, kind: str, server: str, reply: DnsReply, took: int, options: dict[str, bool], console: Console) -> str:  # fmt: skip
    answers = "".join(_record(record) for record in reply.answers)
    if "noall" in options:
        return answers if "answer" in options else ""
    flags = "qr aa rd" if reply.authoritative else "qr rd"
    number = (len(name) * 7919 + took * 104729 + 4242) % 65536
    parts = [
        f"\n; <<>> DiG 9.18.24 <<>> {' '.join(words[1:])}\n;; global options: +cmd\n;; Got answer:\n",
        f";; ->>HEADER<<- opcode: QUERY, status: {reply.code}, id: {number}\n",
        f";; flags: {flags}; QUERY: 1, ANSWER: {len(reply.answers)}, AUTHORITY: {len(reply.authority)}, ADDITIONAL: {len(reply.extra) + 1}\n",
        ";; WARNING: recursion requested but not available\n" if reply.authoritative else "",
        f"\n;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n;; QUESTION SECTION:\n;{name}.{chr(9) * max(1, 3 - (len(name) + 2) // 8)}\tIN\t{kind}\n",
    ]  # fmt: skip
    if answers:
        parts.append("\n;; ANSWER SECTION:\n" + answers)
    if reply.authority:
        parts.append("\n;; AUTHORITY SECTION:\n" + "".join(_record(record) for record in reply.authority))
    if reply.extra:
        parts.append("\n;; ADDITIONAL SECTION:\n" + "".join(_record(record) for record in reply.extra))
    size = (
        55 + sum(len(r.name) + len(r.data) + 12 for r in (*reply.answers, *reply.authority, *reply.extra)) + len(name)
    )
    moment = datetime.fromtimestamp(int(console.env.get("EPOCH", "0")) + console.now // (1000 * MILLISECOND), UTC)
    parts.append(f"\n;; Query time: {took} msec\n;; SERVER: {server}#53({server}) (UDP)\n;; WHEN: {moment:%a %b %d %H:%M:%S UTC %Y}\n;; MSG SIZE  rcvd: {size}\n\n")  # fmt: skip
    return "".join(parts)


def _host(console: Console, words: list[str]) -> Run:
    kind, names = "", []
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word == "-t" and rest:
            kind = rest.pop(0).upper()
        elif not word.startswith("-"):
            names.append(word)
    if not names:
        console.err("Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]\n")
        return 1
    name = names[0]
    server = names[1] if len(names) > 1 else (console.resolver.nameservers or ("127.0.0.1",))[0]
    if is_address(name):
        name, kind = ip_address(name).reverse_pointer, "PTR"
    for one in [name] if kind == "PTR" else candidates(name, console.resolver):
        reply = yield from ask(console, server, one, kind or "A")
        if isinstance(reply, str):
            console.out(";; connection timed out; no servers could be reached\n")
            return 1
        if reply.code == "NOERROR" and reply.answers:
            said = {
                "A": "has address",
                "AAAA": "has IPv6 address",
                "CNAME": "is an alias for",
                "PTR": "domain name pointer",
                "SRV": "has SRV record",
            }
            console.out("".join(f"{r.name} {said.get(r.kind, r.kind)} {r.data}\n" for r in reply.answers))
            return 0
    console.out(f"Host {name} not found: 3(NXDOMAIN)\n")
    return 1
