"""What could happen next, and what it would do: every legal next event of the members at a frozen instant.

In an asynchronous system the schedule is not the world's to choose: of everything on its way any may arrive first, any disk may finish
first, any clock may run fast. ``next_events`` lists them; the laboratory lets one of them happen (``lab.DeliverIn``). Legal are:

- **message**: the oldest on its way from one process to another (a TCP connection keeps the order);
- **timer**: a member's next tick of work: a heartbeat for a leader, else the election timeout (its clock runs fast);
- **disk**: the fsync under way on a member.

What each would do is no guess: Raft is a pure state machine, so a copy of the member's Raft state takes the step, and the difference is told.

In: a ``World``. Out: rows ``{sequence, kind, member, from, what, atMicros, reply, does}``, soonest first; ``does`` is a list of
``{"change": …}``:

| change | with |
|---|---|
| ``role`` | from, to, why (an arrow of ``raft.roles``) |
| ``term`` ``commit`` ``applied`` | from, to |
| ``vote`` ``lead`` | to: a member, "" for none |
| ``append`` ``truncate`` | first, last: indexes |
| ``snapshot`` | index: the whole log is replaced |
| ``progress`` | of: a member (the leader itself: its own disk counts, too); from, to: probe, replicate, snapshot; match |
| ``timer`` | ticks: the election timer begins anew with so many |
| ``send`` | type, to; reject; entries: how many; durable: true if only after the disk has what it promises |
| ``answer`` | a client is answered |
| ``wait`` | for: "leader" or "read round" |
| ``exit`` | the process ends: it was removed |
| ``nothing`` | why: "lease" (it hears a leader), "old term", "removed" (the sender, and it is told so), "stale" |

Simplified here: what follows later (an entry applied that answers a client of another member, say) is not told; of a client's request only whether it is
proposed, forwarded, read or kept waiting.
"""

from collections import deque
from typing import Any, get_args

from msgspec.structs import replace

from cluster.etcd import validate
from cluster.etcd.client_side import way_of
from cluster.etcd.errors import Refused
from cluster.etcd.peers import PeerHello
from cluster.etcd.raft import Raft, RawNode, election
from cluster.etcd.state import MemberState, Proposal
from cluster.sim.actor import Fsynced, Timer
from cluster.sim.dice import Dice
from cluster.sim.world import World
from cluster.wire import etcd as w
from cluster.wire.raft import RaftMessage

Row = dict[str, Any]
_REQUESTS = dict.fromkeys(get_args(w.Request))


def next_events(world: World, limit: int = 60) -> list[Row]:
    """The rows (see the module), soonest first, at most ``limit``."""
    rows: list[Row] = []
    ahead: dict[tuple[str, str], None] = {}
    for at, sequence, dst, src, message, _, boot in sorted(world.state.queue, key=lambda event: event[1]):
        slot = world.state.slots.get(dst)
        if slot is None or slot.kind != "etcd" or not slot.up or slot.paused or slot.boot != boot:
            continue
        kind = "message"
        if src == dst:
            kind = "timer" if type(message) is Timer else "disk"
            if type(message) is Timer and (message.name != "tick" or slot.timers.get("tick") != sequence):
                continue
        elif (src, dst) in ahead:
            continue
        else:
            ahead[src, dst] = None
        actor: Any = world.actors[dst]
        rows.append(_row(actor, sequence, kind, at, src, message))
    rows.sort(key=lambda row: (row["atMicros"], row["sequence"]))
    return rows[:limit]


def _row(actor: Any, sequence: int, kind: str, at: int, src: str, message: Any) -> Row:
    s: MemberState = actor.state
    what = getattr(message, "type", "") or type(message).__name__
    if kind == "timer":
        what = "heartbeat" if s.raft.role == "leader" else "election timeout"
        tick = RawNode(s.raft).due()
        at = at if tick is None else s.phase + tick * actor.config.heartbeat_ns
    elif kind == "disk":
        what = "fsync"
    return {
        "sequence": sequence,
        "kind": kind,
        "member": actor.name,
        "from": "" if kind != "message" else src,
        "what": what,
        "atMicros": at // 1000,
        "does": forecast(actor, src, message, at),
    }


def branch(r: Raft) -> Raft:
    """A copy of a Raft state that may take steps of its own; entries are shared, they never change."""
    return replace(
        r, dice=replace(r.dice), log=replace(r.log, entries=r.log.entries[:]), votes=dict(r.votes),
        progress={member: replace(p, inflights=deque(p.inflights)) for member, p in r.progress.items()},
        voters=r.voters[:], outgoing=r.outgoing[:], learners=r.learners[:],
        reads=[replace(read, acks=dict(read.acks)) for read in r.reads], early_reads=r.early_reads[:],
        messages=[], after=[], read_states=[],
    )  # fmt: skip


def forecast(actor: Any, src: str, message: Any, at: int) -> list[Row]:
    """What ``message`` from ``src`` (or a timer, or the end of an fsync) would do to the member ``actor`` at the instant ``at``."""
    s: MemberState = actor.state
    r = branch(s.raft)
    node = RawNode(r)
    kind = type(message)
    waiting: list[RaftMessage] = []
    if kind is RaftMessage:
        if message.frm in s.app.membership.removed:
            told = [] if actor.forwards(src, message) else [_send("PeerHello", src)]
            return [{"change": "nothing", "why": "removed"}, *told]
        if _ignored_in_lease(r, message):
            return [{"change": "nothing", "why": "lease"}]
        node.step(message)
    elif kind is Timer:
        tick = node.due()
        if tick is not None:
            node.ticked(max(tick, r.tick))
    elif kind is Fsynced:
        if s.writing is None or s.writing.token != message.token:
            return [{"change": "nothing", "why": "stale"}]
        _promised(node, s.writing.after)
        waiting = s.raft.after[:]
    elif kind is PeerHello:
        return [{"change": "exit"}] if message.gone else [] if message.reply else [_send("PeerHello", src)]
    elif kind in _REQUESTS:
        return _client(actor, node, message, at) + _changes(s, r)
    else:
        return []
    if s.writing is None or kind is Fsynced:
        _without_writing(s, node, waiting)
    if r.lead and r.lead != s.raft.lead:  # what waited for a leader goes to this one
        for id_, pending in s.pending.items():
            if pending.parked and len(pending.request) > 1:
                _, data, size, type_ = pending.request
                node.propose([(Proposal(r.id, id_, data, 0, size), pending.cause, type_)])
    done = _changes(s, r)
    if not done and kind is RaftMessage and message.term < s.raft.term and message.term:
        return [{"change": "nothing", "why": "old term"}]
    return done or [{"change": "nothing", "why": "stale"}]


def _promised(node: RawNode, promises: list[RaftMessage]) -> None:
    for promise in promises:
        if promise.to == node.raft.id:
            node.step(promise)
        else:
            node.raft.messages.append(promise)


def _without_writing(s: MemberState, node: RawNode, waiting: list[RaftMessage]) -> None:
    """While there is nothing to write first, promises (those ``waiting`` and new ones) are kept in the same step."""
    r = node.raft
    while (waiting or r.after) and not s.rewrite and r.log.stable >= r.log.last:
        if (r.term, r.vote) != (s.saved.term, s.saved.vote):
            return
        promises, waiting, r.after = waiting + r.after, [], []
        _promised(node, promises)


def _ignored_in_lease(r: Raft, m: RaftMessage) -> bool:
    asked = m.type in ("MsgVote", "MsgPreVote") and m.context != election.TRANSFER
    return asked and m.term > r.term and election.in_lease(r)


def _client(actor: Any, node: RawNode, q: Any, at: int) -> list[Row]:
    s: MemberState = actor.state
    r = node.raft
    answer, no_leader = [{"change": "answer"}], [{"change": "wait", "for": "leader"}]
    try:
        validate.check(q, actor.config.max_txn_ops)
        match way_of(q, r):
            case "refuse" | "look" | "local" | "time to live":
                return answer
            case "read":
                if s.round is not None:
                    return [{"change": "wait", "for": "read round"}]
                node.read_index(0)
                return no_leader if not r.lead else answer if r.read_states else []
            case "pass on":
                leader = s.app.membership.name_of(r.lead)
                return [_send(type(q).__name__, leader)] if leader else no_leader
            case "move":
                if r.role != "leader" or q.target not in r.voters or q.target == r.id:
                    return answer
                node.transfer(q.target)
                return []
            case "change":
                data, type_ = actor.member_change(q, at, _Die(r.dice)), "EntryConfChange"
            case _:
                data, type_ = q, "EntryNormal"
    except Refused:
        return answer
    if not r.lead:
        return no_leader
    proposal = Proposal(r.id, q.id, data)
    return [] if node.propose([(proposal, 0, type_)]) else answer


class _Die:
    """An Outbox for one that asks for an id: a die of its own, so that the world's stays as it is."""

    def __init__(self, dice: Dice) -> None:
        self.dice = replace(dice)


def _changes(s: MemberState, r: Raft) -> list[Row]:
    """How the copy ``r`` differs from the member's own Raft state."""
    old, names = s.raft, s.app.membership.name_of
    found: list[Row] = []
    if r.role != old.role:
        found.append({"change": "role", "from": old.role, "to": r.role, "why": r.why})
    if r.term != old.term:
        found.append({"change": "term", "from": old.term, "to": r.term})
    if r.vote and (r.vote, r.term) != (old.vote, old.term):
        found.append({"change": "vote", "to": names(r.vote)})
    if r.lead != old.lead:
        found.append({"change": "lead", "to": names(r.lead)})
    found += _log_changes(old, r)
    if r.log.committed != old.log.committed and not r.restored:
        found.append({"change": "commit", "from": old.log.committed, "to": r.log.committed})
        if r.log.committed > old.log.applied:
            found.append({"change": "applied", "from": old.log.applied, "to": r.log.committed})
    if r.role == "leader" and old.role == "leader":
        found += _progress(old, r, names)
    elif r.election_since != old.election_since or r.timeout != old.timeout:
        found.append({"change": "timer", "ticks": r.timeout})
    found += [_sent(m, names, False) for m in r.messages]
    found += [_sent(m, names, True) for m in r.after if m.to != r.id]
    return found


def _log_changes(old: Raft, new: Raft) -> list[Row]:
    if new.restored and not old.restored:
        return [{"change": "snapshot", "index": new.log.committed}]
    a, b = old.log, new.log
    same = max(b.offset, a.committed)
    while same < min(a.last, b.last) and a.term_of(same + 1) == b.term_of(same + 1):
        same += 1
    found: list[Row] = []
    if same < a.last:
        found.append({"change": "truncate", "first": same + 1, "last": a.last})
    if same < b.last:
        found.append({"change": "append", "first": same + 1, "last": b.last})
    return found


def _progress(old: Raft, new: Raft, names: Any) -> list[Row]:
    return [
        {"change": "progress", "of": names(member), "from": before.state, "to": p.state, "match": p.match}
        for member, p in new.progress.items()
        if (before := old.progress.get(member)) is not None and (p.state, p.match) != (before.state, before.match)
    ]


def _sent(m: RaftMessage, names: Any, durable: bool) -> Row:
    return _send(m.type, names(m.to), m.reject, len(m.entries), durable)


def _send(type_: str, to: str, reject: bool = False, entries: int = 0, durable: bool = False) -> Row:
    return {"change": "send", "type": type_, "to": to, "reject": reject, "entries": entries, "durable": durable}
