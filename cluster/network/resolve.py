"""A stub resolver: from a name to addresses by ``/etc/hosts``, the search path and the nameservers, as libc does it.

A name with fewer dots than ``ndots`` is tried with each suffix of the search path first and as it stands last; one with as many dots
the other way round; one that ends in a dot only as it stands. So with ``ndots:5`` looking up ``example.com`` costs three questions
about the cluster before the one that matters.

Simplified here: only A records are asked for (libc asks for AAAA at the same time).

Upstream: glibc resolv/res_query.c (``__res_context_search``), resolv.conf(5).
"""

from collections.abc import Generator
from ipaddress import ip_address

from msgspec import Struct

from cluster.network.effects import Call, Console, Effect, Resolver
from cluster.wire.dns import DnsReply
from cluster.wire.packet import NetDone


class Resolved(Struct, frozen=True):
    """``error`` "", nxdomain, servfail, timeout, refused. ``name``: the one that had records."""

    addresses: tuple[str, ...] = ()
    name: str = ""
    error: str = ""
    asked: int = 0


def is_address(text: str) -> bool:
    """Whether it is one already."""
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def cluster_first(namespace: str, nameservers: tuple[str, ...] = ()) -> Resolver:
    """A Pod's resolver with ``dnsPolicy: ClusterFirst``, as the kubelet writes it."""
    return Resolver(nameservers, (f"{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"), ndots=5)


def candidates(name: str, resolver: Resolver) -> list[str]:
    """The names that are asked for, in their order."""
    if name.endswith("."):
        return [name.rstrip(".")]
    suffixed = [f"{name}.{suffix}" for suffix in resolver.search]
    return [name, *suffixed] if name.count(".") >= resolver.ndots else [*suffixed, name]


def ask(
    console: Console, server: str, name: str, kind: str
) -> Generator[Effect, tuple[int, NetDone | None], DnsReply | str]:
    """One question to one server, repeated as resolv.conf says: the reply, or timeout or refused."""
    error = "timeout"
    for _ in range(console.resolver.attempts):
        wait = console.resolver.timeout
        if console.deadline:
            wait = min(wait, console.deadline - console.now)
            if wait <= 0:
                return "timeout"
        console.now, done = yield Call("udp", server, 53, ("dns", name, kind), timeout=wait)
        assert done is not None
        if not done.error and isinstance(done.payload, DnsReply):
            return done.payload
        error = done.error or "timeout"
    return error


def resolve(console: Console, name: str) -> Generator[Effect, tuple[int, NetDone | None], Resolved]:
    """See the module."""
    if is_address(name):
        return Resolved((name.strip("[]"),), name)
    for address, names in console.resolver.hosts:
        if name in names and "." in address:
            return Resolved((address,), name)
    error, asked = "nxdomain", 0
    for candidate in candidates(name, console.resolver):
        for server in console.resolver.nameservers:
            reply = yield from ask(console, server, candidate, "A")
            asked += 1
            if isinstance(reply, str):
                error = reply
                continue
            if reply.code == "NOERROR":
                addresses = tuple(record.data for record in reply.answers if record.kind == "A")
                if addresses:
                    return Resolved(addresses, candidate, asked=asked)
                alias = next((r.data.rstrip(".") for r in reply.answers if r.kind == "CNAME"), "")
                if alias:
                    other = yield from ask(console, server, alias, "A")
                    found = tuple(r.data for r in other.answers if r.kind == "A") if isinstance(other, DnsReply) else ()
                    if found:
                        return Resolved(found, alias, asked=asked + 1)
                    error = "nxdomain"
            elif reply.code == "SERVFAIL":
                error = "servfail"
            break
        if error in ("timeout", "refused"):
            break
    return Resolved((), "", error, asked)
