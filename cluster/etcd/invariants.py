"""Raft's promises, checked live, each with the evidence it rests on.

In: a ``World`` (running members' memories, every member's disk) and ``terms``, the leaders that the recorder saw. Out: a list of
``{key, name, holds, evidence}``; ``evidence`` is a list of plain rows that a page draws (their shapes are below, in each function). Nothing
here trusts Raft's code: it only compares what the members and their disks say.

| key | promise |
|---|---|
| ``election-safety`` | at most one leader a term |
| ``log-matching`` | two logs that agree at an index agree on everything before it |
| ``leader-completeness`` | the leader of the newest term has every committed entry |
| ``state-machine-safety`` | members that applied the same index have the same keys |
| ``committed-is-stored`` | a quorum's disks hold every committed entry |
| ``commit-monotone`` | on a disk, terms and commit indexes never go back, and a term has one vote |

Simplified here: logs are compared over their newest ``WINDOW`` entries, disks by their newest ``RECORDS`` records, so that asking costs a few
milliseconds however long the history is.
"""

from typing import Any, Final

from cluster.etcd import durable
from cluster.etcd.raft import RaftLog, Snapshot
from cluster.etcd.state import LogStart
from cluster.sim.world import World
from cluster.wire.raft import Entry, HardState

Row = dict[str, Any]
RECORDS: Final = 4_000
"""Records of a disk that are looked at for ``commit-monotone``."""
WINDOW: Final = 2_000
"""Entries at the end of two logs that are compared."""


class Member:
    """A member as these checks see it: its log and, while it runs, its memory."""

    def __init__(self, world: World, name: str) -> None:
        slot, actor = world.state.slots[name], world.actors.get(name)
        self.name, self.id = name, slot.config.id
        self.cluster, self.since = slot.config.cluster_id, slot.config.since
        disk = world.state.disks.get(name)
        self.records: list[Any] = disk.synced if disk is not None else []
        self.state: Any = actor.state if actor is not None else None
        self.log: RaftLog = self.state.raft.log if self.state is not None else durable.read(self.records)[0]

    def stored(self, index: int, term: int | None) -> bool:
        """Does its disk hold that entry, by itself or in a snapshot? Looks from the newest record back."""
        for record in reversed(self.records):
            if type(record) is Entry and record.index <= index:
                return record.index == index and record.term == term
            if type(record) is LogStart and record.index >= index:
                return True
        return any(type(record) is Snapshot and record.index >= index for record in self.records)

    @property
    def leads(self) -> bool:
        """Does it believe that it leads?"""
        return self.state is not None and self.state.raft.role == "leader"

    @property
    def leaders_term(self) -> int:
        """The newest term of which it knows that there was a leader: it hears one, or has an entry of one."""
        heard = self.state.raft.term if self.state is not None and self.state.raft.lead else 0
        return max(heard, self.log.term_of(self.log.last) or 0)


def invariants(world: World, terms: list[tuple[int, int, str]] | None = None) -> list[Row]:
    """All of them. ``terms``: (instant ns, term, leader), as ``Memory.terms`` keeps them."""
    members, terms = _one_cluster(
        [Member(world, slot.name) for slot in world.state.slots.values() if slot.kind == "etcd"], terms or []
    )
    newest = max([term for _, term, _ in terms or ()] + [m.leaders_term for m in members], default=0)
    leader = next((m for m in members if m.leads and m.state.raft.term == newest), None)
    return [
        _election_safety(members, terms or []),
        _log_matching(members),
        _leader_completeness(members, leader),
        _state_machines(members),
        _stored(members, leader),
        _monotone(members),
    ]


def _one_cluster(
    members: list[Member], terms: list[tuple[int, int, str]]
) -> tuple[list[Member], list[tuple[int, int, str]]]:
    """Promises are kept within a cluster. After a restore: the members of the one that most run in, and its leaders since it began."""
    running: dict[int, int] = {}
    for m in members:
        running[m.cluster] = running.get(m.cluster, 0) + (m.state is not None)
    if len(running) < 2 and not any(m.since for m in members):
        return members, terms
    chosen = max(running, key=lambda cluster: running[cluster])
    mine = [m for m in members if m.cluster == chosen]
    since, names = min(m.since for m in mine), [m.name for m in mine]
    return mine, [row for row in terms if row[0] >= since and row[2] in names]


def _row(key: str, name: str, holds: bool, evidence: list[Row]) -> Row:
    return {"key": key, "name": name, "holds": holds, "evidence": evidence}


def _election_safety(members: list[Member], terms: list[tuple[int, int, str]]) -> Row:
    """Evidence: ``{term, leaders: [id]}``, the newest 12 terms first."""
    found: dict[int, dict[str, None]] = {}
    for _, term, name in terms:
        found.setdefault(term, {})[name] = None
    for m in members:
        if m.leads:
            found.setdefault(m.state.raft.term, {})[m.name] = None
    evidence = [{"term": term, "leaders": list(found[term])} for term in sorted(found, reverse=True)]
    return _row("election-safety", "Election safety", all(len(row["leaders"]) == 1 for row in evidence), evidence[:12])


def _log_matching(members: list[Member]) -> Row:
    """Evidence, a row a pair: ``{a, b, from, same, differ}``: the logs are the same from index ``from`` to ``same`` (0: nothing to compare); from
    ``differ`` on (0: nowhere) they hold different entries, which only uncommitted entries may do."""
    evidence: list[Row] = []
    holds = True
    for place, a in enumerate(members):
        for b in members[place + 1 :]:
            last = min(a.log.last, b.log.last)
            first = max(a.log.first, b.log.first, last - WINDOW)
            differ = 0
            for index in range(first, last + 1):
                one, other = a.log.entries[index - a.log.first], b.log.entries[index - b.log.first]
                same = one is other or one == other
                if same and differ:
                    holds = False  # they agree again after a difference
                if not same:
                    holds &= one.term != other.term
                    differ = differ or index
            holds &= not differ or differ > min(a.log.committed, b.log.committed)
            same_to = (differ - 1 if differ else last) if last >= first else 0
            evidence.append({"a": a.name, "b": b.name, "from": first, "same": same_to, "differ": differ})
    return _row("log-matching", "Log matching", holds, evidence)


def _leader_completeness(members: list[Member], leader: Member | None) -> Row:
    """Evidence: ``{leader, term, lastIndex, commit, commitTerm, by}``: the highest commit index anybody knows, and who knows it."""
    if leader is None:
        return _row("leader-completeness", "Leader completeness", True, [])
    knows = max(members, key=lambda m: m.log.committed)
    index = knows.log.committed
    theirs, mine = knows.log.term_of(index), leader.log.term_of(index)
    holds = leader.log.last >= index and (theirs is None or mine is None or theirs == mine)
    evidence = [{"leader": leader.name, "term": leader.state.raft.term, "lastIndex": leader.log.last, "commit": index,
                 "commitTerm": theirs, "by": knows.name}]  # fmt: skip
    return _row("leader-completeness", "Leader completeness", holds, evidence)


def _state_machines(members: list[Member]) -> Row:
    """Evidence: ``{applied, members: [{id, digest, revision}]}``, the furthest first. Stopped members have applied nothing in memory."""
    at: dict[int, list[Row]] = {}
    for m in members:
        if m.state is not None:
            store = m.state.app.store
            row = {"id": m.name, "digest": f"{store.digest:08x}", "revision": store.revision}
            at.setdefault(m.log.applied, []).append(row)
    evidence = [{"applied": index, "members": at[index]} for index in sorted(at, reverse=True)]
    holds = all(len({(row["digest"], row["revision"]) for row in group["members"]}) == 1 for group in evidence)
    return _row("state-machine-safety", "State machine safety", holds, evidence)


def _stored(members: list[Member], leader: Member | None) -> Row:
    """Evidence: ``{commit, commitTerm, stored: [id], need, voters}``: whose disks hold the leader's newest committed entry."""
    if leader is None:
        return _row("committed-is-stored", "Committed is stored", True, [])
    r = leader.state.raft
    index = r.log.committed
    term = r.log.term_of(index)
    voters = [m for m in members if m.id in r.voters]
    have = [m.name for m in voters if m.stored(index, term)]
    need = len(r.voters) // 2 + 1
    evidence = [{"commit": index, "commitTerm": term, "stored": have, "need": need, "voters": len(r.voters)}]
    return _row("committed-is-stored", "Committed is stored", len(have) >= need, evidence)


def _monotone(members: list[Member]) -> Row:
    """Evidence, a row a member: ``{id, states, commit, term, vote, back}``: how many HardStates its disk remembers, the last one, and how often
    one went back or changed its vote within a term."""
    evidence: list[Row] = []
    for m in members:
        names = {other.id: other.name for other in members}
        states, back, last = 0, 0, HardState()
        for record in m.records[-RECORDS:]:
            if type(record) is HardState:
                states += 1
                changed = record.term == last.term and last.vote not in (0, record.vote)
                back += record.term < last.term or record.commit < last.commit or changed
                last = record
        row = {
            "id": m.name,
            "states": states,
            "term": last.term,
            "vote": names.get(last.vote, ""),
            "commit": last.commit,
            "back": back,
        }
        evidence.append(row)
    return _row(
        "commit-monotone", "Term, vote and commit never go back", not any(row["back"] for row in evidence), evidence
    )
