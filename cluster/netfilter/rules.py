"""What a rule can ask (matches) and do (targets): one frozen Struct each, a closed union, and ``Unknown`` for the rest.

A rule is a list of matches that must all hold, and at most one target. A target that ends the walk of its table is a
verdict; others change the packet and go on. ``negate`` is the ``!`` before an option.

Simplified here: matches on packet contents beyond the first packet of a connection (``--tcp-flags`` sees a bare SYN) and
those of things we don't hold (``owner``, ``mac``, ``string`` …) stay ``UnknownMatch`` with their words.

Upstream: iptables extensions/libxt_*.c, libipt_*.c.
"""

from typing import Literal

from msgspec import Struct


class Net(Struct, frozen=True, gc=False):
    """An address range. ``text`` is how iptables-save prints it (``10.0.0.0/8``, ``10.0.0.1/32``)."""

    family: int
    value: int
    mask: int
    text: str

    def contains(self, family: int, address: int) -> bool:
        """Whether the address (as an integer of that family) lies within."""
        return family == self.family and address & self.mask == self.value


class Address(Struct, frozen=True, tag=True, gc=False):
    """``-s`` or ``-d``."""

    side: Literal["-s", "-d"]
    net: Net
    negate: bool = False


class Interface(Struct, frozen=True, tag=True, gc=False):
    """``-i`` or ``-o``; a trailing ``+`` stands for anything."""

    side: Literal["-i", "-o"]
    name: str
    negate: bool = False


class Protocol(Struct, frozen=True, tag=True, gc=False):
    """``-p``; "all" matches everything."""

    name: str
    negate: bool = False


class Ports(Struct, frozen=True, tag=True, gc=False):
    """``-m tcp|udp|sctp`` with its ports (inclusive ranges); without any it matches its protocol."""

    module: str
    sport: tuple[int, int] | None = None
    dport: tuple[int, int] | None = None
    not_sport: bool = False
    not_dport: bool = False
    flags: tuple[str, str] | None = None
    """``--tcp-flags mask comp``; None when not asked."""
    not_flags: bool = False


class Multiport(Struct, frozen=True, tag=True, gc=False):
    """``-m multiport``: any of the ranges."""

    which: Literal["--sports", "--dports", "--ports"]
    ranges: tuple[tuple[int, int], ...]
    negate: bool = False


class CtState(Struct, frozen=True, tag=True, gc=False):
    """``-m conntrack --ctstate`` (or the older ``-m state --state``). DNAT and SNAT are states here too."""

    states: tuple[str, ...]
    negate: bool = False
    module: Literal["conntrack", "state"] = "conntrack"


class CtTuple(Struct, frozen=True, tag=True, gc=False):
    """``-m conntrack`` by the connection's own addresses: ``--ctorigdst`` and kin, ``--ctorigdstport``, ``--ctproto``, ``--ctdir``."""

    option: str
    value: str
    negate: bool = False


class Mark(Struct, frozen=True, tag=True, gc=False):
    """``-m mark``/``connmark``: (mark & mask) == value."""

    value: int
    mask: int
    negate: bool = False
    module: Literal["mark", "connmark"] = "mark"


class AddrType(Struct, frozen=True, tag=True, gc=False):
    """``-m addrtype``: what the routing table says of the source or destination address."""

    src_type: str = ""
    dst_type: str = ""
    not_src: bool = False
    not_dst: bool = False


class Statistic(Struct, frozen=True, tag=True, gc=False):
    """``-m statistic --mode random``: the kernel keeps the probability as a fraction of 2^31."""

    fraction: int
    negate: bool = False


class Recent(Struct, frozen=True, tag=True, gc=False):
    """``-m recent``: a list of source addresses with the time each was last seen. kube-proxy's session affinity."""

    op: Literal["set", "rcheck", "update", "remove"]
    name: str
    seconds: int = 0
    hitcount: int = 0
    reap: bool = False
    negate: bool = False
    mask: str = ""
    side: Literal["--rsource", "--rdest"] = "--rsource"


class Nth(Struct, frozen=True, tag=True, gc=False):
    """``-m statistic --mode nth``: every ``every``-th packet, counted from ``packet``."""

    every: int
    packet: int = 0
    negate: bool = False


class SetMatch(Struct, frozen=True, tag=True, gc=False):
    """``-m set --match-set name sides``: whether an ipset holds the packet's parts."""

    name: str
    sides: tuple[str, ...]
    negate: bool = False
    rest: tuple[str, ...] = ()
    """Further options, as written (``--return-nomatch`` …): with any of them it is not asked here."""


class Physdev(Struct, frozen=True, tag=True, gc=False):
    """``-m physdev``: the bridge's port. ``op`` --physdev-is-in, -is-out, -is-bridged, --physdev-in, --physdev-out."""

    op: str
    name: str = ""
    negate: bool = False


class Fragment(Struct, frozen=True, tag=True, gc=False):
    """``-f``: a packet's second or later fragment; conntrack puts them together, so none is ever seen."""

    negate: bool = False


class IpRange(Struct, frozen=True, tag=True, gc=False):
    """``-m iprange``: an address between two, inclusive."""

    side: Literal["--src-range", "--dst-range"]
    text: str
    family: int
    low: int
    high: int
    negate: bool = False


class Limit(Struct, frozen=True, tag=True, gc=False):
    """``-m limit``: a bucket that ``rate`` (``5/min``) fills, ``burst`` at most. ``interval``: ns a packet costs."""

    rate: str
    burst: int
    interval: int


class IpvsMatch(Struct, frozen=True, tag=True, gc=False):
    """``-m ipvs``: a packet of an IPVS connection, to that virtual address, protocol, port. ``ipvs`` alone: of any."""

    vaddr: Net | None = None
    vproto: str = ""
    vport: int = 0
    negated: tuple[str, ...] = ()
    """Those of the options that have a ``!``."""
    any: str = ""
    """``--ipvs`` or ``! --ipvs``, where written."""


class Comment(Struct, frozen=True, tag=True, gc=False):
    """``-m comment``: always true."""

    text: str


class Nfacct(Struct, frozen=True, tag=True, gc=False):
    """``-m nfacct``: counts, always true."""

    name: str


class UnknownMatch(Struct, frozen=True, tag=True, gc=False):
    """A match this kernel doesn't have. ``words`` as written, from ``-m``."""

    module: str
    words: tuple[str, ...]


Match = (
    Address | Interface | Protocol | Ports | Multiport | CtState | CtTuple | Mark | AddrType | Statistic | Nth | Recent | SetMatch
    | Physdev | Fragment | IpRange | Limit | IpvsMatch | Comment | Nfacct | UnknownMatch
)  # fmt: skip


class Verdict(Struct, frozen=True, tag=True, gc=False):
    """ACCEPT, DROP or RETURN."""

    name: Literal["ACCEPT", "DROP", "RETURN"]


class Reject(Struct, frozen=True, tag=True, gc=False):
    """Drop and tell the sender so. ``reject_with`` "": port unreachable."""

    reject_with: str = ""


class Jump(Struct, frozen=True, tag=True, gc=False):
    """To a chain of the same table; after its end the walk comes back, unless ``goto``."""

    chain: str
    goto: bool = False


class SetMark(Struct, frozen=True, tag=True, gc=False):
    """MARK ``--set-xmark value/mask``: mark = (mark & ~mask) ^ value. The conntrack mark for CONNMARK."""

    value: int
    mask: int
    target: Literal["MARK", "CONNMARK"] = "MARK"


class CopyMark(Struct, frozen=True, tag=True, gc=False):
    """CONNMARK ``--save-mark`` (packet → connection) or ``--restore-mark`` (back), through masks of either mark."""

    op: Literal["--save-mark", "--restore-mark"]
    nfmask: int = 0xFFFFFFFF
    ctmask: int = 0xFFFFFFFF


class Nat(Struct, frozen=True, tag=True, gc=False):
    """DNAT, SNAT, MASQUERADE, REDIRECT. ``address`` "" where the kernel chooses; ``port`` 0: unchanged.

    ``last_address`` and ``last_port``: the end of a range, from which the kernel chooses.
    """

    kind: Literal["DNAT", "SNAT", "MASQUERADE", "REDIRECT"]
    address: str = ""
    port: int = 0
    options: tuple[str, ...] = ()
    last_address: str = ""
    last_port: int = 0


class NoTrack(Struct, frozen=True, tag=True, gc=False):
    """NOTRACK or CT ``--notrack``: conntrack (and so NAT) leaves this packet alone."""

    words: tuple[str, ...]


class Passive(Struct, frozen=True, tag=True, gc=False):
    """LOG, NFLOG, TCPMSS …: something else happens, the walk goes on as if nothing had."""

    name: str
    words: tuple[str, ...] = ()


class UnknownTarget(Struct, frozen=True, tag=True, gc=False):
    """A target this kernel doesn't have."""

    name: str
    words: tuple[str, ...] = ()


Target = Verdict | Reject | Jump | SetMark | CopyMark | Nat | NoTrack | Passive | UnknownTarget


class Rule(Struct, frozen=True, gc=False):
    """All of ``matches``, then ``target`` (None: only counts)."""

    matches: tuple[Match, ...] = ()
    target: Target | None = None

    @property
    def comment(self) -> str:
        """The text of the rule's first comment, or ""."""
        for match in self.matches:
            if type(match) is Comment:
                return match.text
        return ""
