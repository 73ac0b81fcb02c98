"""What an onlooker may see of a member, running or stopped. Plain JSON-able data; nothing here changes anything.

In: a member's state, or the records on a stopped member's disk. Out: the row of ``/etcd/members`` and log rows
``[index, term, text]``; the text of a put ends in ``key=value``, long values shortened. Instants in virtual ns.

Beside these: ``role_table`` (every way between roles), ``invariants`` (Raft's promises with their evidence, see ``invariants``) and ``next_events``
(what could happen next, and what it would do, see ``foresight``).
"""

from typing import Any, Final

from cluster.etcd import durable
from cluster.etcd.apply import apply
from cluster.etcd.errors import Refused
from cluster.etcd.foresight import next_events
from cluster.etcd.invariants import invariants
from cluster.etcd.raft import ConfChange, RaftLog
from cluster.etcd.raft.progress import PROGRESS_TRANSITIONS, Progress
from cluster.etcd.raft.roles import REASONS, TRANSITIONS
from cluster.etcd.state import Application, ClusterVersion, MemberConfig, MemberState, Proposal, Publish
from cluster.wire import etcd as w
from cluster.wire.raft import Entry

__all__ = [
    "entry_text",
    "invariants",
    "log_rows",
    "next_events",
    "progress_row",
    "request_text",
    "role_table",
    "status",
    "stopped",
]

_VALUE: Final = 60
"""Bytes of a value that a log row shows."""


def status(process: str, config: MemberConfig, s: MemberState) -> dict[str, Any]:
    """The row of a running member. ``progress`` is what a leader believes about the others (empty elsewhere)."""
    r = s.raft
    log, names, period = r.log, s.app.membership.name_of, config.heartbeat_ns
    leading = r.role == "leader"
    start = r.heartbeat_since if leading else r.election_since
    length = 1 if leading else r.timeout
    return {
        "id": process,
        "name": config.name,
        "host": config.host,
        "memberId": f"{config.id:x}",
        "role": r.role,
        "why": r.why,
        "learner": r.is_learner(),
        "term": r.term,
        "votedFor": names(r.vote),
        "lead": names(r.lead),
        "commit": log.committed,
        "applied": log.applied,
        "lastIndex": log.last,
        "snapIndex": log.snapshot.index if log.snapshot is not None else 0,
        "snapTerm": log.snapshot.term if log.snapshot is not None else 0,
        "firstIndex": log.first,
        "revision": s.app.store.revision,
        "kvDigest": f"{s.app.store.digest:08x}",
        "electionElapsedTicks": r.tick - r.election_since,
        "electionTimeoutTicks": r.timeout,
        "timerStart": s.phase + start * period,
        "timerEnd": s.phase + (start + length) * period,
        "votes": {names(member): granted for member, granted in r.votes.items()},
        "progress": {names(member): progress_row(p) for member, p in r.progress.items() if leading and member != r.id},
        "members": [names(member) for member in r.progress],
        "learners": [names(member) for member, p in r.progress.items() if p.learner],
    }


def progress_row(p: Progress) -> dict[str, Any]:
    """What a leader believes about one follower.

    ``match``: known to be stored there; ``next``: to be sent next; ``state``: probe, replicate or snapshot; ``inflight``: appends unanswered;
    ``paused``: the leader waits before it says more; ``active``: it answered since the last check of the quorum; ``pendingSnapshot``: index of
    the snapshot on its way (0: none).
    """
    return {
        "match": p.match, "next": p.next, "state": p.state, "learner": p.learner, "inflight": len(p.inflights),
        "paused": p.is_paused(), "active": p.recent_active, "pendingSnapshot": p.pending_snapshot,
    }  # fmt: skip


def role_table() -> dict[str, list[dict[str, str]]]:
    """The tables that run, for a page to draw: ``roles`` and ``progress``, each rows ``{from, why, to, text}``.

    A member's last arrow is the one whose ``why`` its status names and whose ``to`` is its role.
    """
    roles = [{"from": a, "why": why, "to": b, "text": REASONS[why]} for a, why, b in TRANSITIONS]
    progress = [{"from": a, "why": why, "to": b, "text": why} for a, why, b in PROGRESS_TRANSITIONS]
    return {"roles": roles, "progress": progress}


def stopped(process: str, config: MemberConfig, disk: list[Any]) -> dict[str, Any]:
    """The row of a stopped member: what its disk remembers. ``log`` has all its rows.

    Everything up to the durable commit index is applied here, as a restart would, to know revision and digest. Costs O(log).
    """
    log, hard = durable.read(disk)
    app = Application()
    names = {seed.id: seed.process for seed in config.members}
    if log.snapshot is not None:
        app.load(log.snapshot.data, log.snapshot.term)
        names.update(app.membership.processes)
    header = w.ResponseHeader(config.cluster_id, config.id, 0, 0)
    for entry in log.to_apply():
        proposal: Proposal | None = entry.data
        if proposal is None:
            continue
        if isinstance(proposal.request, ConfChange):
            if proposal.request.context is not None:
                names[proposal.request.node] = proposal.request.context.process
            continue
        try:
            apply(app, proposal.request, entry.cause, header, 0, config.min_lease_ttl)
        except Refused:
            continue
    return {
        "id": process,
        "name": config.name,
        "host": config.host,
        "memberId": f"{config.id:x}",
        "role": "down",
        "learner": False,
        "term": hard.term,
        "votedFor": names.get(hard.vote, ""),
        "lead": "",
        "commit": log.committed,
        "applied": log.applied,
        "lastIndex": log.last,
        "snapIndex": log.snapshot.index if log.snapshot is not None else 0,
        "snapTerm": log.snapshot.term if log.snapshot is not None else 0,
        "firstIndex": log.first,
        "revision": app.store.revision,
        "kvDigest": f"{app.store.digest:08x}",
        "log": log_rows(log, 1),
    }


def log_rows(log: RaftLog, from_index: int) -> list[list[Any]]:
    """``[index, term, text]`` of every entry from ``from_index`` on that is not compacted away."""
    start = max(from_index - log.first, 0)
    return [[entry.index, entry.term, entry_text(entry)] for entry in log.entries[start:]]


def entry_text(entry: Entry) -> str:
    """One line about an entry."""
    proposal: Proposal | None = entry.data
    if proposal is None:
        return "(empty: a leader's first entry)" if entry.type == "EntryNormal" else entry.type
    return request_text(proposal.request)


def request_text(request: Any) -> str:
    """One line about what an entry asks for."""
    match request:
        case w.PutRequest():
            return f"put {_text(request.key)}={_short(request.value)}"
        case w.DeleteRangeRequest():
            return f"delete {_text(request.key)}" + (f"..{_text(request.range_end)}" if request.range_end else "")
        case w.TxnRequest():
            then = "; ".join(request_text(op) for op in request.success)
            otherwise = "; ".join(request_text(op) for op in request.failure if not isinstance(op, w.RangeRequest))
            when = " and ".join(_compare_text(compare) for compare in request.compare)
            return (
                "txn" + (f" if {when}" if when else "") + (f" else {otherwise};" if otherwise else "") + f" then {then}"
            )
        case w.RangeRequest():
            return f"get {_text(request.key)}"
        case w.CompactionRequest():
            return f"compact {request.revision}"
        case w.LeaseGrantRequest():
            return f"lease grant {request.lease:x} {request.ttl}s"
        case w.LeaseRevokeRequest():
            return f"lease revoke {request.lease:x}"
        case w.AlarmRequest():
            return f"alarm {request.action.lower()} {request.alarm}"
        case w.AuthRequest():
            return " ".join(word for word in ("auth", request.op, request.name, request.role) if word)
        case ConfChange():
            who = "" if request.context is None else f" {request.context.process}"
            return f"{request.type} {request.node:x}{who}"
        case Publish():
            return f"publish member {request.member:x} as {request.name}"
        case ClusterVersion():
            return f"cluster version {request.version}"
        case _:
            return type(request).__name__


def _compare_text(compare: w.Compare) -> str:
    sign = {"EQUAL": "=", "GREATER": ">", "LESS": "<", "NOT_EQUAL": "!="}[compare.result]
    value = _short(compare.value) if isinstance(compare.value, bytes) else str(compare.value)
    return f"{compare.target.lower()}({_text(compare.key)}){sign}{value}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _short(value: bytes) -> str:
    return _text(value) if len(value) <= _VALUE else _text(value[:_VALUE]) + "…"
