"""The etcd swarm: random faults on a random cluster, watched from outside.

``python -m tests.swarm.etcd --seed S --runs N`` (run from the project's root). Each run draws a cluster (1 to 5 members) and a script of
faults: crashes, restarts, pauses, partitions, one-way cuts, loss, delays, transfers, forced elections, compactions; meanwhile clients put,
get, delete and compare-and-swap single keys through random members. Checked after every slice of time:

- **Election safety**: at most one leader per term.
- **Log matching**: two entries with the same index and term are the same.
- **Leader completeness**: a committed entry is in the log of every later leader.
- **State machine safety**: two members that applied the same index have the same digest.
- **Durability**: term and commit index of a member never go back over a crash, votes are not changed within a term.

and at the end, after everything is healed: the cluster answers again, all members have the same digest, and every key's history is
**linearizable** (Wing and Gong's search, memoised).

A failure prints its one-line replay.
"""

import argparse
import sys
from typing import Any

from cluster.etcd import EtcdMember, MemberConfig, MemberSeed, durable
from cluster.sim import MILLISECOND, SECOND, Dice, Link, World
from cluster.wire import etcd as w

CLIENTS = 4
KEYS = (b"x", b"y")


class Violation(AssertionError):
    """The cluster did what it must never do."""


class Op:
    """One operation of a client. ``end`` None: nobody knows whether it happened."""

    def __init__(self, id_: int, f: str, key: bytes, value: bytes, expect: int, start: int) -> None:
        self.id, self.f, self.key, self.value, self.expect, self.start = id_, f, key, value, expect, start
        self.end: int | None = None
        self.failed = False
        self.out: Any = None

    def __repr__(self) -> str:
        end = "?" if self.end is None else self.end // 1000
        return f"{self.f} {self.value!r} expect={self.expect} [{self.start // 1000},{end}] -> {self.out}"


class Run:
    """One cluster, one seed."""

    def __init__(self, seed: int, slices: int = 120) -> None:
        self.seed, self.slices = seed, slices
        self.dice = Dice.named(seed, "swarm")
        d = self.dice
        self.n = (1, 3, 3, 3, 5)[d.below(5)]
        members = tuple(MemberSeed(100 + i, f"etcd-{i}", f"m{i}", f"h{i}") for i in range(1, self.n + 1))
        self.names = [member.process for member in members]
        self.world = World.new(seed, 300_000, 2_000_000, {"etcd": EtcdMember})
        options = {
            "pre_vote": d.chance(0.7),
            "check_quorum": d.chance(0.8),
            "snapshot_count": (20, 60, 10_000)[d.below(3)],
            "catch_up_entries": (5, 40)[d.below(2)],
            "bootstrap_log": d.chance(0.5),
        }
        for member in members:
            self.world.add_host(member.host)
            config = MemberConfig(member.id, member.name, member.host, 7, members, **options)
            self.world.add_process(member.process, "etcd", member.host, config)
            self.world.add_disk(member.process, 500_000, (2_000_000, 30_000_000, 200_000_000)[d.below(3)])
        self.world.outside = self._answer
        for name in self.names:
            self.world.start(name)
        self.ops: dict[int, Op] = {}
        self.busy: dict[int, int] = {}
        self.leaders: dict[int, str] = {}
        self.committed: dict[int, int] = {}
        self.digests: dict[int, tuple[str, int, int]] = {}
        self.floor: dict[str, tuple[int, int, int]] = {}
        self.next = 0

    # -- clients --------------------------------------------------------------------------------------------------

    def _answer(self, now: int, address: str, _src: str, message: Any, _cause: int) -> None:
        client = int(address.removeprefix("outside:").split("@")[0])
        op = self.ops.get(getattr(message, "id", 0))
        if op is None or op.end is not None:
            return
        if self.busy.get(client) == op.id:
            del self.busy[client]
        if isinstance(message, w.EtcdError):
            # Whatever may have entered Raft has an unknown outcome; a read that failed has no effect at all.
            op.failed = op.f == "get"
            return
        op.end = now
        if op.f == "get":
            op.out = (message.kvs[0].mod_revision, message.kvs[0].value) if message.kvs else None
        elif op.f == "cas":
            op.out = message.succeeded
        elif op.f == "delete":
            op.out = message.deleted
        if op.f in ("put", "cas", "delete"):
            op.out = (op.out, message.header.revision)

    def _client(self, client: int) -> None:
        d = self.dice
        stuck = self.busy.get(client)
        if stuck is not None:
            if self.world.now - self.ops[stuck].start < 8 * SECOND:
                return
            del self.busy[client]  # the connection died: it will never know
        self.next += 1
        id_ = self.next
        key = KEYS[d.below(len(KEYS))]
        f = ("put", "put", "get", "get", "cas", "delete")[d.below(6)]
        op = Op(id_, f, key, b"v%d" % id_, 0, self.world.now)
        member = self.names[d.below(self.n)]
        message: Any
        if f == "put":
            message = w.PutRequest(id_, key, op.value)
        elif f == "get":
            message = w.RangeRequest(id_, key)
        elif f == "delete":
            message = w.DeleteRangeRequest(id_, key)
        else:
            seen = [o for o in self.ops.values() if o.key == key and o.f == "get" and o.out]
            op.expect = seen[-1].out[0] if seen and d.chance(0.8) else 0
            put = w.PutRequest(0, key, op.value)
            message = w.TxnRequest(id_, (w.Compare(key, "MOD", "EQUAL", op.expect),), (put,))
        self.ops[id_] = op
        self.busy[client] = id_
        slot = self.world.state.slots[member]
        if not slot.up:
            op.failed = True
            del self.busy[client]
            return
        self.world.post(f"outside:{client}@{member}", member, message)

    def _partition(self, *groups: list[str]) -> None:
        """Each client sits next to the member it talks to: a partition among members does not silence it."""
        beside = [[*group, *(f"outside:{c}@{m}" for c in range(CLIENTS) for m in group)] for group in groups]
        self.world.state.network.partition(beside)

    # -- faults ---------------------------------------------------------------------------------------------------

    def _fault(self) -> None:
        d, world, names = self.dice, self.world, self.names
        name = names[d.below(self.n)]
        other = names[d.below(self.n)]
        match d.below(17):
            case 0 | 1:
                world.stop(name)
            case 2 | 3 | 4:
                for each in names:
                    world.start(each)
            case 5:
                world.pause(name)
            case 6:
                for each in names:
                    world.resume(each)
            case 7:
                cut = d.below(self.n)
                shuffled = sorted(names, key=lambda _: d.bits())
                self._partition(shuffled[:cut], shuffled[cut:])
            case 8:
                world.state.network.set_link(name, other, Link(cut=True), one_way=d.chance(0.5))
            case 9:
                low = d.below(100) * MILLISECOND
                world.state.network.set_link(name, other, Link(low, low * 2 + 1, loss=0.3 * d.below(3)), one_way=False)
            case 10 | 11:
                world.state.network.heal()
            case 12:
                if world.state.slots[name].up:
                    world.post(name, name, w.Campaign())
            case 14 | 15:  # the leader alone on one side
                leading = [n for n, a in world.actors.items() if a.status()["role"] == "leader"]
                self._partition(leading, [n for n in names if n not in leading])
            case 16:  # everybody at once
                for each in names:
                    world.stop(each)
                for each in names:
                    world.start(each)
            case 13:
                if world.state.slots[name].up:
                    world.post(name, name, w.TransferLeadership(other))

    # -- checks ---------------------------------------------------------------------------------------------------

    def _fail(self, why: str) -> None:
        raise Violation(f"{why}\nreplay: python -m tests.swarm.etcd --seed {self.seed} --runs 1")

    def _check(self) -> None:
        for name in self.names:
            slot = self.world.state.slots[name]
            if not slot.up:
                self._check_disk(name)
                continue
            actor = self.world.actors[name]
            assert isinstance(actor, EtcdMember)
            r, log = actor.state.raft, actor.state.raft.log
            if r.role == "leader":
                if self.leaders.setdefault(r.term, name) != name:
                    self._fail(f"two leaders in term {r.term}: {self.leaders[r.term]} and {name}")
                for index, term in self.committed.items():
                    have = log.term_of(index)
                    if have is not None and have != term and r.term >= term:
                        self._fail(f"leader {name} of term {r.term} lacks committed entry {index} of term {term}")
                if self.committed and log.last < max(i for i, t in self.committed.items() if t <= r.term):
                    self._fail(f"leader {name} of term {r.term} ends at {log.last}, before a committed entry")
            for index in range(max(log.first, log.committed - 200), log.committed + 1):
                term = log.term_of(index)
                if term is not None and self.committed.setdefault(index, term) != term:
                    self._fail(f"{name} committed entry {index} of term {term}, others of {self.committed[index]}")
            store = actor.state.app.store
            seen = self.digests.setdefault(log.applied, (name, store.digest, store.revision))
            if seen[1:] != (store.digest, store.revision):
                self._fail(f"{name} and {seen[0]} differ after applying {log.applied}")

    def _check_disk(self, name: str) -> None:
        log, hard = durable.read(self.world.state.disks[name].synced)
        term, vote, commit = self.floor.get(name, (0, 0, 0))
        if hard.term < term or log.committed < commit:
            self._fail(f"{name}'s disk went back from {(term, commit)} to {(hard.term, log.committed)}")
        if hard.term == term and vote and hard.vote != vote:
            self._fail(f"{name} changed its vote in term {term}")
        self.floor[name] = (hard.term, hard.vote, log.committed)

    def go(self) -> dict[str, int]:
        """Run it all. Raises Violation."""
        d = self.dice
        for _ in range(self.slices):
            self.world.run_until(self.world.now + (1 + d.below((30, 400, 800)[d.below(3)])) * MILLISECOND)
            self._check()
            if d.chance(0.35):
                self._fault()
            for client in range(CLIENTS):
                if d.chance(0.6):
                    self._client(client)
        self.world.state.network.heal()
        # A connection that was retransmitting for minutes would hold everything behind it back: everybody reconnects.
        self.world.state.network.last.clear()
        for name in self.names:
            self.world.start(name)
            self.world.resume(name)
        self.world.run_until(self.world.now + 20 * SECOND)
        self._check()
        self._settled()
        for key in KEYS:
            check_linearizable([op for op in self.ops.values() if op.key == key and not op.failed], self._fail)
        done = sum(op.end is not None for op in self.ops.values())
        return {"members": self.n, "ops": len(self.ops), "done": done, "terms": max(self.leaders, default=0)}

    def _settled(self) -> None:
        states = [self.world.actors[name].state for name in self.names]
        if len({s.raft.lead for s in states}) != 1 or not states[0].raft.lead:
            self._fail("no common leader 20 s after everything was healed")
        if len({(s.app.store.digest, s.raft.log.applied) for s in states}) != 1:
            self._fail("members differ 20 s after everything was healed")


# -- linearizability --------------------------------------------------------------------------------------------------

State = tuple[int, bytes] | None
"""(mod revision, value) of the key, or None. The revision of an unacknowledged write is not known: -1."""


def _apply(op: Op, state: State) -> list[State]:
    """The states that ``op`` may leave behind, if it could have answered what it did; [] if it could not."""
    if op.f == "get":
        if op.out is None or state is None:
            return [state] if op.out is None and state is None else []
        revision, value = op.out
        if value != state[1] or state[0] not in (-1, revision):
            return []
        return [(revision, value)]
    known = op.end is not None
    revision = op.out[1] if known else -1
    if op.f == "put":
        return [(revision, op.value)]
    if op.f == "delete":
        if not known:
            return [None]
        return [None] if op.out[0] == (state is not None) else []
    now = 0 if state is None else state[0]
    if not known:
        return [(-1, op.value)] if now in (op.expect, -1) else [state]
    if op.out[0]:
        return [(revision, op.value)] if now in (op.expect, -1) else []
    return [state] if now != op.expect else []


def check_linearizable(ops: list[Op], fail: Any) -> None:
    """Is there an order of ``ops``, respecting real time, in which one register gives these answers?"""
    ops = sorted(ops, key=lambda op: op.start)
    certain = [i for i, op in enumerate(ops) if op.end is not None]
    unknown = [i for i, op in enumerate(ops) if op.end is None]
    # Depth-first over (how far all certain operations are done, which later ones are, which unknown ones were used, state).
    start = (frozenset(certain), frozenset(), None)
    stack: list[tuple[frozenset[int], frozenset[int], State]] = [start]
    seen = {start}
    while stack:
        left, used, state = stack.pop()
        if not left:
            return
        horizon = min(ops[i].end or 0 for i in left)
        for i in sorted(left):
            if ops[i].start > horizon:
                break
            for after in _apply(ops[i], state):
                step = (left - {i}, used, after)
                if step not in seen:
                    seen.add(step)
                    stack.append(step)
        for i in unknown:
            if ops[i].start > horizon:
                break
            if i not in used and ops[i].f != "get":
                for after in _apply(ops[i], state):
                    step = (left, used | {i}, after)
                    if after != state and step not in seen:
                        seen.add(step)
                        stack.append(step)
        if len(seen) > 400_000:
            return  # undecided: too many operations with an unknown outcome at once
    fail("not linearizable:\n" + "\n".join(map(repr, ops)))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--slices", type=int, default=120)
    args = parser.parse_args()
    for seed in range(args.seed, args.seed + args.runs):
        try:
            print(seed, Run(seed, args.slices).go(), flush=True)
        except Violation as violation:
            print(violation)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
