"""A packet's whole journey, told for people: one way through the hooks step by step, why each rule caught it, and the reply's way back.

In: a walker (iptables or nft) and a packet → out: JSON-able data. A ``Walk`` lists what caught the packet on all its ways; a journey takes
one of them and adds what an onlooker asks: which tables it passed, the routing decision, what each match of the deciding rule compared,
which rules nearly caught it and what kept them from it, what the header looked like before and after, the connection's entry, and the
answer's rewriting from it.

``kind`` of a frame: sent, rule, pass (a hook none of whose rules caught it), route, confirm (conntrack remembers the flow), untranslate
(conntrack rewrites a later packet), end.

Simplified here: the reply is walked on the same node, and ``mangle`` and ``raw`` see it as its address was after un-translation.

Upstream: net/netfilter/nf_nat_core.c ``nf_nat_packet`` (which hook undoes which translation), nf_conntrack_core.c.
"""

from typing import Any

from msgspec import Struct, structs

from cluster.netfilter.asks import Ask, Book, book_of
from cluster.netfilter.conntrack import TRANSITIONS, Conntrack, Tuple5
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.passage import Beside
from cluster.netfilter.walk import Flow, Leaf, Step, Walk, Walker, flow_of
from cluster.wire.packet import Packet

MAX_WAYS = 64
"""Ends that are told one by one."""
LOOKED_BACK = 512
"""Rules before the deciding one that are looked at for near misses."""
NEAR = 3
EXCERPT = 5
"""Lines of a chain shown before and after the one that decided."""
LATE = ("dst",)
"""A rule for another destination is a poor near miss: taken only when there is no better."""


class Teller(Struct):
    """One way of one walk, being told."""

    book: Book
    start: Packet
    ctstate: str
    frames: list[dict[str, Any]]


def journey(walker: Walker | NftWalker, packet: Packet, *, local: bool | None = None, way: int = 0) -> dict[str, Any]:
    """Walk ``packet`` and tell its ``way``-th end (the ends in rule order)."""
    walk = walker.walk(packet, local=local)
    book = book_of(walker)
    sent_here = walker.is_local(packet.src) if local is None else local
    leaves = walk.leaves[:MAX_WAYS]
    way = min(max(way, 0), max(len(leaves) - 1, 0))
    answer: dict[str, Any] = {
        "packet": plain(packet),
        "local": sent_here,
        "kind": book.kind,
        "way": way,
        "ways": [_end(leaf) for leaf in leaves],
        "moreWays": len(walk.leaves) - len(leaves),
        "hooks": {hook: book.stations(hook) for hook in ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")},
        "frames": [],
        "reply": [],
        **book.size(),
    }
    if not leaves:
        return answer
    leaf = leaves[way]
    teller = Teller(book, packet, "NEW", [])
    _frame(teller, "sent", "OUTPUT" if sent_here else "PREROUTING", packet, packet)
    _tell(teller, walk, leaf, sent_here, walker)
    answer["frames"] = teller.frames
    if leaf.accepted and not leaf.unknown and (packet.protocol, "NONE", "original") in TRANSITIONS:
        track = Conntrack()
        flow = track.confirm(packet, leaf.packet, 0)
        hook = teller.frames[-1]["hook"]
        entry = {"original": _tuple(flow.original), "reply": _tuple(flow.reply), "state": flow.state}
        _frame(teller, "confirm", hook, leaf.packet, leaf.packet, entry=entry)
        answer["conntrack"] = entry
        balanced = any(frame.get("station") == "ipvs" for frame in teller.frames)
        answer["reply"] = _reply(walker, book, packet, leaf.packet, "ipvs" if balanced else "dnat")
    _frame(teller, "end", teller.frames[-1]["hook"], leaf.packet, leaf.packet, verdict=leaf.verdict)
    return answer


def _tell(teller: Teller, walk: Walk, leaf: Leaf, local: bool, walker: Walker | NftWalker) -> None:
    """The frames of one way, hook by hook."""
    steps = way_of(walk, leaf)
    here = teller.start
    hooks = ["OUTPUT", "POSTROUTING"] if local else ["PREROUTING"]
    at = done = 0
    while at < len(hooks):
        hook = hooks[at]
        first = done
        while done < len(steps) and steps[done].hook == hook:
            here = _rule(teller, steps, done, here)
            done += 1
        if done == len(steps) and not leaf.accepted:
            return
        if first == done:
            _frame(teller, "pass", hook, here, here)
        if hook == "PREROUTING" and not local:
            ours = walker.is_local(here.dst)
            hooks += ["INPUT"] if ours else ["FORWARD", "POSTROUTING"]
            _frame(teller, "route", hook, here, here, to=hooks[at + 1])
        elif hook == "INPUT" and done < len(steps):  # IPVS took it out and sends it on
            hooks += ["OUTPUT", "POSTROUTING"]
        elif hook == "POSTROUTING" and done < len(steps):  # to itself: it arrives by the interface lo
            hooks += ["PREROUTING", "INPUT"]
        at += 1


def way_of(walk: Walk, leaf: Leaf) -> list[Step]:
    """The steps of one way, in order."""
    steps: list[Step] = []
    at = leaf.last
    while at >= 0:
        steps.append(walk.steps[at])
        at = walk.steps[at].after
    return steps[::-1]


def _rule(teller: Teller, steps: list[Step], at: int, before: Packet) -> Packet:
    step = steps[at]
    after = step.packet or before
    book = teller.book
    flow = _asked_of(teller, step, steps[at - 1].beside if at else Beside(teller.ctstate), before)
    index = book.index(step)
    begin = _begin(book, steps, at)
    near, draws = _missed(book, step, flow, max(begin, index - LOOKED_BACK), index)
    _frame(
        teller,
        "rule",
        step.hook,
        before,
        after,
        station=book.station(step),
        table=step.table,
        chain=step.chain,
        line=step.line,
        rule=step.rule,
        outcome=step.outcome,
        comment=book.comment(step, index),
        asked=step.asked,
        passed=max(index - begin, 0),
        asks=[structs.asdict(ask) for ask in book.asks(step, index, flow)],
        near=near,
        draws=draws,
        probability=round(step.probability, 9),
        excerpt=book.excerpt(step, index, EXCERPT),
    )
    return after


def _asked_of(teller: Teller, step: Step, beside: Beside, packet: Packet) -> Flow:
    """The packet as the rule saw it, with what was noted beside it by then; coming in by ``lo`` is no rule's doing."""
    flow = flow_of(packet, beside.ctstate)
    flow.original, flow.connmark = teller.start, beside.connmark
    flow.dnat, flow.snat, flow.untracked = beside.dnat, beside.snat, beside.untracked
    flow.balanced, flow.looped = beside.balanced, step.beside.looped
    return flow


def _begin(book: Book, steps: list[Step], at: int) -> int:
    """The rule of this chain from which the packet was asked: its first, or the one after the last that caught it on this visit."""
    step = steps[at]
    for before in reversed(steps[:at]):
        if (before.hook, before.table) != (step.hook, step.table):
            break
        if before.chain == step.chain:
            return book.index(before) + 1
        if before.outcome in (f"jump {step.chain}", f"goto {step.chain}"):
            break
    return 0


def _missed(book: Book, step: Step, flow: Flow, begin: int, end: int) -> tuple[list[dict[str, Any]], list[float]]:
    """(near misses: one thing kept them from it; chances of the draws that were lost on the way)."""
    near: list[tuple[bool, int, dict[str, Any]]] = []
    draws: list[float] = []
    for index in range(end - 1, begin - 1, -1):
        asks = book.asks(step, index, flow)
        failed = [ask for ask in asks if ask.held == 0.0]
        drawn = [ask.held for ask in asks if ask.held is not None and 0.0 < ask.held < 1.0]
        if not failed and drawn:
            draws.insert(0, round(drawn[0], 9))
        elif len(failed) == 1 and len(asks) > 1:
            line, text = book.text(step, index)
            told = {"line": line, "rule": text, "ask": structs.asdict(failed[0]), "comment": book.comment(step, index)}
            near.append((failed[0].kind in LATE, len(near), told))
    return [told for _, _, told in sorted(near, key=lambda item: item[:2])[:NEAR]], draws


def _reply(walker: Walker | NftWalker, book: Book, sent: Packet, arrived: Packet, of: str) -> list[dict[str, Any]]:
    """The answer's way back on the same node: PREROUTING undoes the source translation, the last hook the destination's.

    ``of``: who translated the destination, dnat or ipvs (which undoes it in FORWARD, before POSTROUTING; told at the end here, too).
    """
    raw = Packet(arrived.dst, arrived.src, arrived.protocol, arrived.dport, arrived.sport)
    undone = structs.replace(raw, dst=sent.src, dport=sent.sport)
    last = structs.replace(undone, src=sent.dst, sport=sent.dport)
    walk = walker.walk(undone, ctstate="ESTABLISHED")
    if not walk.leaves:
        return []
    local = walker.is_local(undone.src)
    teller = Teller(book, undone, "ESTABLISHED", [])
    _frame(teller, "sent", "OUTPUT" if local else "PREROUTING", raw, raw)
    if undone != raw:
        _frame(teller, "untranslate", teller.frames[-1]["hook"], raw, undone, of="snat")
    leaf = walk.leaves[0]
    _tell(teller, walk, leaf, local, walker)
    if leaf.accepted and last != undone:
        _frame(teller, "untranslate", teller.frames[-1]["hook"], undone, last, of=of)
    _frame(teller, "end", teller.frames[-1]["hook"], last, last, verdict="" if leaf.accepted else leaf.verdict)
    return teller.frames


def _frame(teller: Teller, kind: str, hook: str, before: Packet, after: Packet, **more: Any) -> None:
    teller.frames.append({"kind": kind, "hook": hook, "before": plain(before), "after": plain(after), **more})


def _end(leaf: Leaf) -> dict[str, Any]:
    return {
        "verdict": leaf.verdict or None,
        "endpoint": leaf.endpoint,
        "masquerade": leaf.masquerade,
        "probability": round(leaf.probability, 9),
        "asked": leaf.asked,
        "accepted": leaf.accepted,
        "source": leaf.packet.src,
        "unknown": leaf.unknown,
    }


def plain(packet: Packet) -> dict[str, Any]:
    """A packet as JSON."""
    return {
        "src": packet.src,
        "sport": packet.sport,
        "dst": packet.dst,
        "dport": packet.dport,
        "protocol": packet.protocol,
        "mark": packet.mark,
    }


def _tuple(flow: Tuple5) -> dict[str, Any]:
    return {"src": flow.src, "dst": flow.dst, "protocol": flow.protocol, "sport": flow.sport, "dport": flow.dport}


__all__ = ["Ask", "journey", "plain", "way_of"]
