"""One run of the swarm: a cluster, a seed, thirty virtual seconds. See the package's page.

Faults: crashes (one, all), pauses, partitions, one-way cuts, loss, delay, slow disks, clocks that run fast, elections forced, leadership handed
over, members added (learners and voters), promoted and removed, compactions, defragmentations, databases that are full (alarms on and off). All of it ends at second ``HEAL``; from then on the
cluster has 8 election timeouts to acknowledge a write (see ``Run._excused`` for what does not count without pre-vote), and at second ``END`` its members must agree.
"""

from typing import Any, Final

from cluster.etcd import MemberConfig, MemberSeed
from cluster.sim import MILLISECOND, SECOND, Dice, Link, World
from cluster.wire import etcd as w
from tests.swarm.checks import Checks, Member, Violation
from tests.swarm.clients import KEYS, Clients, Tenant, Watcher
from tests.swarm.linear import linearizable

SIZES: Final = (1, 3, 3, 3, 5, 5, 5, 7)
HEAL: Final = 21 * SECOND
END: Final = 30 * SECOND
TIMEOUTS: Final = 8
"""Election timeouts after the heal within which a write must be acknowledged."""
LUCK: Final = 60 * SECOND
"""Longer than that nobody is so unlucky: somebody's timers are wrong."""
SETTLE: Final = 20 * SECOND
"""A member may still be fetching a snapshot at the end."""


class Run:
    """See the module. ``go`` raises Violation (or the members' own AssertionErrors)."""

    def __init__(self, seed: int, size: int = 0, hunted: bool = False) -> None:
        self.seed = seed
        self.dice = d = Dice.named(seed, "swarm")
        self.n = size or SIZES[d.below(len(SIZES))]
        members = tuple(MemberSeed(100 + i, f"etcd-{i}", f"m{i}", f"h{i}") for i in range(1, self.n + 1))
        self.checks = Checks(self)
        kind = type("Watched", (Member,), {"checks": self.checks})
        self.world = World.new(seed, 300_000, 2_000_000, {"etcd": kind})
        self.world.observer = self.checks
        self.options: dict[str, Any] = {
            "pre_vote": d.chance(0.7),
            "check_quorum": d.chance(0.85),
            "snapshot_count": (8, 40, 10_000)[d.below(3)],
            "catch_up_entries": (3, 20)[d.below(2)],
            "bootstrap_log": d.chance(0.7),
            "strict_reconfig_check": d.chance(0.6),
        }
        self.hunted = (self.n > 2 and d.chance(0.12)) or hunted
        """Every leader is killed within milliseconds, and another stands at once (figure 8 of the paper)."""
        if self.hunted:
            self.options |= {"pre_vote": False, "check_quorum": False}
        self.full = Dice.named(seed, "quota").chance(0.12)
        """The database may hold little: writes are refused until an operator has made room, and disarmed the alarm."""
        self.padding = b"." * 300 if self.full else b""
        if self.full:
            self.options["quota_bytes"] = 21_000  # an empty one has 20,480, of which a fifth is free
        self.limits = ((1, 300, 1 << 20)[d.below(3)], (1, 4, 512)[d.below(3)])
        """Bytes of entries in a message (1: one entry each), messages in flight."""
        self.slow = d.chance(0.25)
        """All disks are slow, and leaders are harassed."""
        self.faults = (0.15, 0.35, 0.6)[d.below(3)]
        self.reshapes = d.chance(0.4)
        self.slice = 20 if self.hunted else (40, 200, 500)[d.below(3)]
        self.ids = 0
        self.compacted = 0
        self.members = members
        for member in members:
            self._place(member, MemberConfig(member.id, member.name, member.host, 7, members, **self.options))
        self.clients = Clients(self, 2 + d.below(4))
        self.watchers = [Watcher(self, number) for number in range(3)]
        self.tenant = Tenant(self)
        self.world.outside = self._answer
        for name in list(self.world.state.slots):
            self.world.start(name)

    def _place(self, seed: MemberSeed, config: MemberConfig) -> None:
        self.world.add_host(seed.host)
        self.world.add_process(seed.process, "etcd", seed.host, config)
        low, high = (20, 200) if self.slow else (0.3, (1, 8)[self.dice.below(2)])
        self.world.add_disk(seed.process, int(low * MILLISECOND), int(high * MILLISECOND))

    # -- who is there ---------------------------------------------------------------------------------------------

    def next_id(self) -> int:
        """A request number."""
        self.ids += 1
        return self.ids

    def names(self) -> list[str]:
        """Every process."""
        return list(self.world.state.slots)

    def running(self) -> list[str]:
        """Processes that run (or are paused)."""
        return [name for name, slot in self.world.state.slots.items() if slot.up]

    def some_member(self) -> str:
        """Any process."""
        names = self.names()
        return names[self.dice.below(len(names))]

    def member(self, name: str) -> Any:
        """A running member."""
        return self.world.actors[name]

    def leader(self) -> str:
        """A member that believes it leads, that of the highest term; "" if none."""
        leading = [name for name in self.running() if self.member(name).state.raft.role == "leader"]
        return max(leading, key=lambda name: self.member(name).state.raft.term, default="")

    # -- mail for those outside -----------------------------------------------------------------------------------

    def _answer(self, now: int, address: str, src: str, message: Any, _cause: int) -> None:
        kind = address[8]
        if kind == "c":
            self.clients.answered(now, address, message)
        elif kind == "w":
            self.watchers[int(address[9:])].heard(message)
        elif kind == "t":
            self.tenant.answered(address, message)

    # -- faults ---------------------------------------------------------------------------------------------------

    def fault(self) -> None:
        """One of them."""
        d, world, names = self.dice, self.world, self.names()
        name, other = self.some_member(), self.some_member()
        if self.slow and d.chance(0.4):
            name = self.leader() or name
        up = world.state.slots[name].up
        match d.below(22 if self.reshapes else 18):
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
                cut = d.below(len(names))
                shuffled = sorted(names, key=lambda _: d.bits())
                world.state.network.partition([shuffled[:cut], shuffled[cut:]])
            case 8:
                world.state.network.set_link(name, other, Link(cut=True), one_way=d.chance(0.6))
            case 9:
                low = d.below(150) * MILLISECOND
                world.state.network.set_link(
                    name, other, Link(low, low * 2 + 1, loss=0.3 * d.below(3)), one_way=d.chance(0.3)
                )
            case 10 | 11:
                world.state.network.heal()
            case 12 if up:
                world.post(name, name, (w.Campaign(), w.TickNow())[d.below(2)])
            case 13 if up:
                world.post(name, name, w.TransferLeadership(other))
            case 14:  # the leader alone on one side
                leader = self.leader()
                world.state.network.partition([[leader], [n for n in names if n != leader]])
            case 15:  # everybody at once
                for each in names:
                    world.stop(each)
                for each in names:
                    world.start(each)
            case 16:
                disk = world.state.disks[name]
                disk.fsync_min, disk.fsync_max = 500_000, (2, 60, 700)[d.below(3)] * MILLISECOND
            case 17 if up:
                self._housekeeping(name)
            case _ if up and self.reshapes:
                self._reshape(name)

    def _housekeeping(self, name: str) -> None:
        app = self.member(name).state.app
        store = app.store
        if app.alarms and self.dice.chance(0.5):
            full, alarm = app.alarms[0]
            self.world.post("outside:-", name, w.AlarmRequest(self.next_id(), "DEACTIVATE", full, alarm))
            return
        at = store.revision - self.dice.below(12)
        if self.dice.chance(0.2):
            self.world.post("outside:-", name, w.DefragmentRequest(self.next_id()))
        elif at > max(store.compacted, 1):
            self.compacted = max(self.compacted, at)
            self.world.post("outside:-", name, w.CompactionRequest(self.next_id(), at))

    def _reshape(self, name: str) -> None:
        """Add a member, promote a learner, or remove somebody."""
        d, id_ = self.dice, self.next_id()
        members = self.member(name).state.app.membership.members
        ids = list(members)
        learners = [member for member, m in members.items() if m.is_learner]
        if learners and d.chance(0.5):
            message: Any = w.MemberPromoteRequest(id_, learners[0])
        elif len(ids) < 9 and d.chance(0.6):
            process = f"n{id_}"
            message = w.MemberAddRequest(id_, (f"https://{process}:2380",), d.chance(0.5), process)
        elif len(ids) > 2:
            message = w.MemberRemoveRequest(id_, ids[d.below(len(ids))])
        else:
            return
        self.world.post("outside:-", name, message)

    def join(self) -> None:
        """Whoever is a member somewhere and has no process yet gets one."""
        slots = self.world.state.slots
        for name in self.running():
            membership = self.member(name).state.app.membership
            for id_, process in list(membership.processes.items()):
                if process not in slots and id_ in membership.members:
                    known = tuple(MemberSeed(m, "", membership.processes[m], "") for m in membership.members)
                    if not self.options["bootstrap_log"]:
                        known = self.members
                    config = MemberConfig(id_, process, process, 7, known, joining=True, **self.options)
                    self._place(MemberSeed(id_, process, process, process), config)
                    self.world.start(process)

    # -- the run --------------------------------------------------------------------------------------------------

    def go(self) -> dict[str, Any]:
        """All of it; figures about it. Violation."""
        d = self.dice
        while self.world.now < HEAL:
            self._advance(self.world.now + (1 + d.below(self.slice)) * MILLISECOND)
            if self.hunted:
                self._hunt()
            elif d.chance(self.faults):
                self.fault()
            self._traffic(0.6)
        healed = self._heal()
        first = self._progress(healed)
        while self.world.now < END:
            self._advance(self.world.now + 200 * MILLISECOND)
            self._traffic(0.4 if self.world.now < END - SECOND else 0)
        self._settle()
        undecided = self._histories()
        done = sum(op.end is not None for op in self.clients.ops.values())
        return {
            "members": self.n, "ops": len(self.clients.ops), "done": done, "terms": len(self.checks.leaders),
            "recovery": round((first - healed) / SECOND, 3), "undecided": undecided,
            "events": sum(len(watcher.told) for watcher in self.watchers), "processes": len(self.names()),
        }  # fmt: skip

    def _hunt(self) -> None:
        d, world = self.dice, self.world
        for _ in range(4):
            leader, names = self.leader(), self.names()
            world.state.network.heal()
            if leader and d.chance(0.4):  # what it proposes reaches one other at most
                with_it = {leader: None, names[d.below(len(names))]: None}
                world.state.network.partition([list(with_it), [name for name in names if name not in with_it]])
            if leader:
                world.post("outside:-", leader, w.PutRequest(self.next_id(), b"hunt", b"%d" % self.ids))
                self._advance(world.now + d.below(3_000_000))
                world.stop(leader)
            world.state.network.heal()
            if d.chance(0.7):
                world.start(names[d.below(len(names))])
            standing = names[d.below(len(names))]
            if leader and d.chance(0.3):  # the one that was killed comes back and stands again
                world.start(leader)
                standing = leader
            if world.state.slots[standing].up:
                world.post(standing, standing, w.Campaign())
            self._advance(world.now + d.below(6_000_000))

    def _progress(self, healed: int) -> int:
        """When a read and then a write were acknowledged; nobody else asks for anything meanwhile."""
        vain = self.checks.in_vain(healed)
        for f in ("get", "delete" if self.full else "put"):  # a full database still lets things be deleted
            begun: list[Any] = []
            while not any(op.end is not None for op in begun):
                if self.world.now > healed + TIMEOUTS * SECOND + self._excused(vain):
                    self.checks.fail(
                        f"no {f} acknowledged within {TIMEOUTS} election timeouts after everything was healed"
                    )
                begun += [self.clients.begin(1000 + n, f, KEYS[0], name) for n, name in enumerate(self.running())]
                self._advance(self.world.now + 200 * MILLISECOND)
        return min(op.end for op in begun if op.end is not None)

    def _excused(self, before: int) -> int:
        """Nanoseconds since the heal (``before`` it there were so many) in which Raft itself allows no leader.

        Without pre-vote, whoever's timer ends first takes the term, and if a majority's logs are better than its own it takes it in vain: all
        timers start anew. How often that happens is the timers' luck (Ongaro's dissertation, 9.6: it is what pre-vote is for), so only what passes
        between such a candidacy and the next is not counted, and nothing at all with pre-vote.
        """
        return 0 if self.options["pre_vote"] else min(self.checks.in_vain(self.world.now) - before, LUCK)

    def _advance(self, until: int) -> None:
        self.world.run_until(until)
        if self.reshapes:
            self.join()

    def _traffic(self, chance: float) -> None:
        d = self.dice
        for client in range(self.clients.count):
            if d.chance(chance):
                self.clients.act(client)
        for watcher in self.watchers:
            watcher.look()
            if chance and d.chance(0.02):
                watcher.begin()
            elif chance and d.chance(0.05):
                watcher.ask_progress()
        if chance and d.chance(0.3):
            self.tenant.act()
        for name in self.checks.fresh:  # a new leader is asked at once what it knows
            for number, key in enumerate(KEYS):
                self.clients.begin(2000 + number, "get", key, name)
        self.checks.fresh.clear()

    def _heal(self) -> int:
        world = self.world
        world.state.network.heal()
        self.slow = False  # nor has who joins from now on a slow disk
        leader = self.leader()
        if leader and self.dice.chance(0.5):
            world.stop(leader)
        for name in self.names():
            world.resume(name)
            world.start(name)
            disk = world.state.disks[name]
            disk.fsync_min, disk.fsync_max = 300_000, 2_000_000
        return world.now

    def _settle(self) -> None:
        """Everybody who is a member has the same keys, and every watcher has seen every change."""
        limit = self.world.now + SETTLE
        while why := self._unsettled():
            if self.world.now >= limit:
                self.checks.fail(f"{SETTLE // SECOND} s after everything had ended: {why}")
            for watcher in self.watchers:
                watcher.look()
            self._advance(self.world.now + 500 * MILLISECOND)

    def _unsettled(self) -> str:
        leader = self.leader()
        if not leader:
            return "there is no leader"
        membership = self.member(leader).state.app.membership
        states = {membership.name_of(id_): None for id_ in membership.members}
        for name in states:
            if name not in self.world.actors:
                return f"{name} does not run"
        leads = {self.member(name).state.raft.lead for name in states}
        if leads != {self.member(leader).config.id}:
            return f"members follow {leads}"
        applied = {
            (s.raft.log.applied, s.app.store.digest, s.app.store.revision, tuple(s.app.alarms))
            for s in (self.member(n).state for n in states)
        }
        if len(applied) != 1:
            return f"members have applied {applied}"
        *_, revision, _ = applied.pop()
        behind = {watcher.number: watcher.next for watcher in self.watchers if watcher.next <= revision}
        return f"watchers {behind} have not seen everything up to {revision}" if behind else ""

    def _histories(self) -> int:
        """Acknowledged writes and linearizability; how many keys' histories were too hard to decide."""
        ops = list(self.clients.ops.values())
        self.checks.acknowledged(ops)
        undecided = 0
        for key in KEYS:
            mine = sorted(
                (op for op in ops if op.key == key and (op.f != "get" or op.end is not None)), key=lambda op: op.start
            )
            result = linearizable(mine)
            undecided += result is None
            if result is False:
                self.checks.fail(f"the history of {key!r} is not linearizable:\n" + "\n".join(map(repr, mine)))
        return undecided


def replay(seed: int) -> str:
    """The line that makes a failure again."""
    return f"replay: python -m tests.swarm --seed {seed} --runs 1"


__all__ = ["Run", "Violation", "replay"]
