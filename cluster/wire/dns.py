"""A DNS question and its answer, as a stub resolver and a server exchange them."""

from msgspec import Struct


class DnsRecord(Struct, frozen=True):
    """``data``: an address, a name, or for SRV ``priority weight port target``."""

    name: str
    kind: str
    data: str
    ttl: int = 30


class DnsQuery(Struct, frozen=True, tag=True):
    """``kind`` A, AAAA, SRV, PTR, CNAME, NS, SOA, TXT, ANY. ``name`` without the last dot."""

    id: int
    name: str
    kind: str
    client: str = ""


class DnsReply(Struct, frozen=True, tag=True):
    """``code`` NOERROR, NXDOMAIN, SERVFAIL, REFUSED."""

    id: int
    code: str
    answers: tuple[DnsRecord, ...] = ()
    authority: tuple[DnsRecord, ...] = ()
    extra: tuple[DnsRecord, ...] = ()
    authoritative: bool = True
