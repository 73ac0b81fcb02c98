"""Links between hosts: delay, loss, one-way cuts, partitions.

A message is a whole request, response or Raft message on a TCP connection: between two processes messages arrive in
the order they were sent. ``route`` answers when a message arrives, or why it never does.

Simplified here: no bandwidth; a lossy link loses whole messages of kinds that say ``lossy = True`` (Raft's own, which
tolerates it), while all others are retransmitted as TCP would: 200 ms later, doubling. A cut link swallows everything.
"""

# pyright: reportUnknownVariableType=false
# (what field(default_factory=list) makes is of unknown type to pyright)

from msgspec import Struct, field

from cluster.sim.clock import MICROSECOND, MILLISECOND, MINUTE
from cluster.sim.dice import Dice

LOOPBACK = 30 * MICROSECOND
"""Between two processes of one host."""
OUTSIDE = "outside"
"""Where real clients are. A partition drawn inside the cluster doesn't cut them off; a cut link to the host may."""
HEAD_OF_LINE = 1_000 * MILLISECOND
"""A Raft message waits no longer than this behind a retransmission: it has a connection of its own (rafthttp streams)."""
RETRANSMIT = 200 * MILLISECOND
"""TCP's minimum retransmission timeout on Linux (RFC 6298, TCP_RTO_MIN)."""


class Link(Struct):
    """What differs from the default on the way ``a`` → ``b``. None: as the default."""

    low: int | None = None
    high: int | None = None
    loss: float = 0.0
    cut: bool = False


class Network(Struct):
    """``links`` are directed, between hosts or between processes (a process name wins over its host)."""

    dice: Dice
    low: int
    high: int
    links: dict[tuple[str, str], Link] = field(default_factory=dict)
    groups: dict[str, int] | None = None
    """While partitioned: place → side. A place in no group is alone."""
    last: dict[tuple[str, str], int] = field(default_factory=dict)
    """Per process pair: when its latest message arrives, so that none overtakes. What has arrived can be forgotten."""
    room: int = 4096
    """Pairs kept before those are looked for whose mail has all arrived: real clients come and go."""

    def route(self, src: str, src_host: str, dst: str, dst_host: str, lossy: bool, now: int) -> tuple[int, str]:
        """``(arrival, "")``, or ``(0, why)`` when it is dropped: "partition", "cut" or "loss"."""
        delay = LOOPBACK
        if self.groups is None and not self.links:
            if src_host != dst_host:
                low, high = self.low, self.high
                delay = low if low >= high else low + self.dice.bits() % (high - low + 1)
        else:
            inside = src_host != OUTSIDE and dst_host != OUTSIDE
            if self.groups is not None and inside and not self.together(src, src_host, dst, dst_host):
                return 0, "partition"
            link = self.link(src, src_host, dst, dst_host) if self.links else None
            if link is not None and link.cut:
                return 0, "cut"
            if src_host != dst_host or link is not None:
                low, high = self.low, self.high
                if link is not None:
                    low = low if link.low is None else link.low
                    high = high if link.high is None else link.high
                delay = low if low >= high else low + self.dice.bits() % (high - low + 1)
            if link is not None and link.loss:
                wait = RETRANSMIT
                while self.dice.chance(link.loss):
                    if lossy:
                        return 0, "loss"
                    delay += wait
                    wait = min(wait * 2, 120_000 * MILLISECOND)
        arrival = now + delay
        pair = (src, dst)
        last = self.last.get(pair, 0)
        if arrival <= last:
            if lossy and last - arrival > HEAD_OF_LINE:
                return arrival, ""
            arrival = last + 1
        self.last[pair] = arrival
        if len(self.last) > self.room:  # (``now`` is when it leaves, which may be a little later than now)
            self.last = {pair: at for pair, at in self.last.items() if at > now - MINUTE}
            self.room = 4096 + 2 * len(self.last)
        return arrival, ""

    def set_link(self, a: str, b: str, link: Link | None, one_way: bool) -> None:
        """Give the way ``a`` → ``b`` (and back unless ``one_way``) these properties; None restores the default."""
        for pair in ((a, b),) if one_way else ((a, b), (b, a)):
            if link is None:
                self.links.pop(pair, None)
            else:
                self.links[pair] = link

    def partition(self, groups: list[list[str]]) -> None:
        """Only places of the same group hear each other."""
        self.groups = {place: side for side, group in enumerate(groups) for place in group}

    def heal(self) -> None:
        """Forget every partition, cut, loss and delay. What was lost on the way is still being retransmitted."""
        self.groups = None
        self.links.clear()

    def forget(self, process: str) -> None:
        """The process starts anew: new connections, nothing waits behind the old ones."""
        for pair in [pair for pair in self.last if process in pair]:
            del self.last[pair]

    def together(self, src: str, src_host: str, dst: str, dst_host: str) -> bool:
        """Whether no partition stands between the two."""
        if self.groups is None or (src_host == dst_host and src == dst):
            return True
        a = self.groups.get(src, self.groups.get(src_host))
        b = self.groups.get(dst, self.groups.get(dst_host))
        if a is None and b is None:
            return src_host == dst_host
        return a == b

    def link(self, src: str, src_host: str, dst: str, dst_host: str) -> Link | None:
        """What differs from the default on the way there."""
        links = self.links
        for pair in ((src, dst), (src, dst_host), (src_host, dst), (src_host, dst_host)):
            link = links.get(pair)
            if link is not None:
                return link
        return None
