"""One cluster being run: paces virtual against wall time, applies its mail, commits and releases what it says.

The only module that knows ``cluster.lab``. In → ``Mail`` from the inbox, in order; out → commits (see ``journal``).
``turn`` is one step of it: apply what arrived, let due time pass (at most ``SLICE`` of work), drain, commit; it
answers how long nothing will be due.

Pacing: virtual time = anchor + elapsed · rate. While nobody's request is open the world is let run on a grid of
``GRID`` seconds, so an idle cluster wakes the processor rarely; with requests open it wakes at every next event.
A world that can't keep up slips: the anchor moves, nothing is skipped.

While paused, requests from outside wait at the door (``waiting``), in order; laboratory acts (stop a member, cut a link)
are applied at the frozen instant, because that is what pausing is for.

Errors: an input that names something unknown is answered by ``Trouble`` 404, a malformed one by 422; neither stops the run.
"""

import logging
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from explainer.runs import journal, keys, lease, resp, version
from explainer.runs.feed import FRAME_SECONDS, IDLE_SECONDS, Feed, encode_json
from explainer.runs.journal import Entry, Journal, Mark, Snapshot
from explainer.runs.mail import Ask, Letter, Mail, Pace, Trouble, decode_any, decode_mail, encode, raw

if TYPE_CHECKING:
    from cluster import lab as world_door

log = logging.getLogger("clearplane.runsim")

SECOND = 1_000_000_000
SLICE = 0.010
"""Wall seconds of work before the inbox is looked at again."""
CHUNK = 256
"""Events between two looks at the wall clock."""
GRID = 0.020
"""Idle wake-ups are at most so frequent."""
TICK = 0.0005
"""Busy wake-ups are at most so frequent."""
BUSY = 0.030
"""Wall seconds after the last mail or answer in which the cluster counts as busy."""
SLIP = 0.25
"""Wall seconds of lag after which the anchor moves."""
BOOT_LIMIT = 180 * SECOND
"""Virtual time a new cluster is run as fast as possible until it is ready."""
REPLAY_BUDGET = 1.5
"""Wall seconds of world's work after which a snapshot is taken: about how long a replay may take."""
MODEL_SECONDS = 0.5
GATEWAYS_REMEMBERED = 64
STEP_LIMIT = 200_000
"""Events looked at for one step."""

DOOR = frozenset({"HttpIn", "HttpDataIn", "HttpCloseIn", "ConsoleIn", "EtcdGatewayIn", "EtcdOpIn", "PacketIn"})
"""Inputs that wait at the door of a paused cluster."""
ANSWERED = frozenset({"ConsoleIn", "EtcdGatewayIn", "PacketIn", "MemberAddIn", "MemberRemoveIn", "MemberPromoteIn"})
"""Inputs that the world itself answers (``CallOut``); the others are acknowledged here when they have a call."""
VISIBLE = frozenset({"request", "stage", "raft", "object", "effect", "process", "host", "flight"})
"""Events that a step stops at."""


class Deleted(Exception):
    """The cluster is to be forgotten."""


class Runner:
    """Runs one cluster under the lease ``token``. ``door`` names the module that is the world (tests have a small one)."""

    def __init__(self, name: str, link: resp.Link, token: str, door: str = "cluster.lab") -> None:
        self.name = name
        self.lab_module: world_door = import_module(door)  # type: ignore[assignment]
        self.decode_input = msgspec.msgpack.Decoder(self.lab_module.Input).decode
        self.version = version.world_version(door)
        self.journal = Journal(link, name, token)
        self.letters: dict[str, list[Letter]] = {}
        self.entries: list[Entry] = []
        self.waiting: list[tuple[str, Mail]] = []
        self.open: dict[tuple[str, int], bool] = {}
        """Requests without an end → whether their answer has begun."""
        self.unary = 0
        """How many of them have no answer yet."""
        self.watching: dict[str, int] = {}
        self.goal: int | None = None
        """Virtual instant of a ``run`` under way, and who asked."""
        self.goal_asker: tuple[str, str] | None = None
        self.busy_until = 0.0
        self.next_frame = 0.0
        self.next_model = 0.0
        self.debt = 0.0
        self.snapshot_cost = 0.0
        self.snapshot_commit = 0
        self.snapshot_cursor = "0-0"
        self.side = 1
        self.announce = False
        """Onlookers are owed a frame even if nothing happened: the clock was set."""
        self.unkept = False
        self._load()

    # -- coming up ------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        kept = self.journal.load()
        self.side = kept.side
        if kept.mark is None:
            self._create()
            return
        if kept.mark.world != self.version:
            log.warning("cluster %s: made by another version of the world; it begins anew", self.name)
            self.journal.forget()
            self._create(kept.mark.cursor, kept.commit, kept.mark.frame)
            return
        mark = self.mark = kept.mark
        self.commit = kept.commit
        snapshot = None
        for snapshot in kept.snapshots:
            try:
                self.lab = self.lab_module.Lab.restore(journal.decompress(snapshot.world))
                break
            except Exception as error:  # a snapshot written by another version of the program, or damaged
                log.warning("cluster %s: a snapshot can't be read (%s: %s)", self.name, type(error).__name__, error)
                snapshot = None
        if snapshot is None:
            if kept.snapshots:
                raise RuntimeError(f"cluster {self.name}: neither snapshot can be read; its data is left alone")
            self.lab = self.lab_module.Lab.start(self._spec())
            self.delivered, since = 0, 0
        else:
            self.delivered, since = snapshot.delivered, snapshot.commit
            self.open = dict.fromkeys(snapshot.open, True)
            self.snapshot_commit = snapshot.commit
        self.feed = Feed(mark.frame)
        self._replay([entry for commit, entries in kept.entries if commit > since for entry in entries])
        self.cursor = mark.cursor
        self.seen = dict(mark.seen)
        self._anchor()

    def _spec(self) -> Any:
        blob = self.journal.link.call("GET", keys.spec(self.name))
        if blob is None:
            raise Deleted(self.name)
        return msgspec.msgpack.decode(blob, type=self.lab_module.ClusterSpec)

    def _create(self, cursor: str = "0-0", commit: int = 0, frame: int = 0) -> None:
        """Begin at instant 0. Numbers of commits and frames stay above those of a former life: streams only grow."""
        spec = self._spec()
        self.commit, self.floor = 0, commit
        self.lab = self.lab_module.Lab.start(spec)
        self.delivered = 0
        self.feed = Feed(max(int(time.time()), frame + 1))
        self.cursor, self.seen = cursor, {}
        self.mark = Mark(0, 0, cursor, 1.0, bool(spec.paused), self.feed.number, 0, 0, world=self.version)
        self._anchor()

    def _replay(self, entries: list[Entry]) -> None:
        """Go from the snapshot to the mark. What was released before is made again and dropped."""
        mark, fed = self.mark, False
        for entry in entries:
            if not fed and entry.delivered >= mark.fed_delivered:
                self._replay_to(mark.fed_now, mark.fed_delivered)
                fed = True
            self._replay_to(entry.now, entry.delivered, keep=fed)
            try:
                self._submit(entry.input)
            except (self.lab_module.UnknownName, KeyError):
                pass  # as it did the first time; its asker has been told
        if not fed:
            self._replay_to(mark.fed_now, mark.fed_delivered)
        self._replay_to(mark.now, mark.delivered, keep=True)
        self.letters.clear()
        self.debt = 0.0
        if (self.lab.now, self.delivered) != (mark.now, mark.delivered):
            log.error("cluster %s: replay ended at %d/%d, the mark says %d/%d",
                      self.name, self.lab.now, self.delivered, mark.now, mark.delivered)  # fmt: skip

    def _replay_to(self, now: int, delivered: int, keep: bool = False) -> None:
        if delivered >= self.delivered and now >= self.lab.now:
            self.delivered += self.lab.run_until(now, delivered - self.delivered)
        self._drain(keep)

    # -- one step -------------------------------------------------------------------------------------------------

    def turn(self, mail: list[tuple[str, bytes]], wall: float) -> float:
        """Apply ``mail`` (inbox id, bytes), run what is due at ``wall`` (monotonic s), commit. Seconds until the next turn."""
        for inbox_id, data in mail:
            self._receive(inbox_id, data, wall)
        started = time.perf_counter()
        more = self._run(wall)
        self.debt += time.perf_counter() - started
        self._drain(True)
        due = (len(self.feed) or self.announce) and wall >= self.next_frame
        moved = wall >= self.next_frame and self.lab.now != self.mark.now
        if self.letters or self.entries or due or moved:
            self._commit(wall)
        if wall >= self.next_model:
            self._publish_model(wall)
        if self.debt > max(REPLAY_BUDGET, 20 * self.snapshot_cost):
            self.keep()
        return 0.0 if more else self._idle_for(wall)

    def _run(self, wall: float) -> bool:
        """Let time pass; True when there is more to do at once."""
        mark = self.mark
        if not mark.ready and not mark.paused:
            return self._boot(wall)
        if self.goal is not None:
            more = self._advance(self.goal, wall)
            if not more:
                self._finish_goal()
            return more
        if mark.paused:
            return False
        if mark.rate == 0:
            self._advance(self.lab.now + 3600 * SECOND, wall)
            self._anchor()
            return True
        target = self._target(wall)
        more = self._advance(target, wall)
        if more and target - self.lab.now > SLIP * SECOND * mark.rate:
            self._anchor(wall)
        return more

    def _boot(self, wall: float) -> bool:
        self._advance(self.lab.now + 100_000_000, wall)
        self._anchor()
        if self.lab.ready() or self.lab.now >= BOOT_LIMIT:
            self.mark.ready = True
            self.unkept = True
            log.info("cluster %s: up after %.1f virtual seconds", self.name, self.lab.now / SECOND)
            self.next_model = 0.0
            self.debt = REPLAY_BUDGET * 2
        return True

    def _advance(self, target: int, wall: float) -> bool:
        """Run to ``target`` for at most a slice of work; True when it wasn't reached."""
        until = time.monotonic() + SLICE
        while True:
            done = self.lab.run_until(target, CHUNK)
            self.delivered += done
            if done < CHUNK:
                return False
            if time.monotonic() >= until:
                return True

    def _target(self, wall: float) -> int:
        return max(self.lab.now, self.anchor_now + int((wall - self.anchor_wall) * self.mark.rate * SECOND))

    def _anchor(self, wall: float | None = None) -> None:
        self.anchor_now, self.anchor_wall = self.lab.now, time.monotonic() if wall is None else wall

    def _idle_for(self, wall: float) -> float:
        now = time.monotonic()
        wake = self.next_frame if len(self.feed) else now + 1.0
        following = self.lab.next_at()
        if not self.mark.paused and self.mark.rate and following is not None:
            due = self.anchor_wall + (following - self.anchor_now) / SECOND / self.mark.rate
            busy = self.unary > 0 or now < self.busy_until
            wake = min(wake, max(due, now + TICK) if busy else max(due, wall + GRID))
        return max(0.0, min(wake, now + 1.0) - now)

    # -- mail -----------------------------------------------------------------------------------------------------

    def _receive(self, inbox_id: str, data: bytes, wall: float) -> None:
        if inbox_id in self.mark.ahead:
            self.mark.ahead.remove(inbox_id)
            self._done(inbox_id)
            return
        try:
            mail = decode_mail(data)
        except msgspec.MsgspecError as error:
            log.warning("cluster %s: unreadable mail dropped: %s", self.name, error)
            self._done(inbox_id)
            return
        if mail.number and mail.number <= self.seen.get(mail.gateway, 0):
            self._done(inbox_id)
            return
        if mail.number:
            self.seen[mail.gateway] = mail.number
        self.busy_until = wall + BUSY
        match mail.kind:
            case "input":
                self._input(inbox_id, mail)
            case "ask":
                self._ask(mail)
                self._done(inbox_id)
            case "pace":
                self._pace(mail, wall)
                self._done(inbox_id)
            case "watching":
                self.watching[mail.gateway] = decode_any(mail.body)
                self.next_frame = self.next_model = 0.0
                self._done(inbox_id)
            case "delete":
                raise Deleted(self.name)

    def _done(self, inbox_id: str) -> None:
        """This piece of mail needs not be read again; the cursor stays before the first that waits."""
        if not self.waiting:
            self.cursor = inbox_id
            self.mark.seen = self.seen

    def _input(self, inbox_id: str, mail: Mail) -> None:
        kind = _tag(mail.body)
        if self.mark.paused and self.goal is None and kind in DOOR:
            if not self.waiting:
                self.mark.seen = {**self.seen, mail.gateway: mail.number - 1}
            self.waiting.append((inbox_id, mail))
            self.announce = True
            return
        self._apply(inbox_id, mail, kind)
        if self.waiting:
            self.mark.ahead.append(inbox_id)
        else:
            self._done(inbox_id)

    def _apply(self, inbox_id: str, mail: Mail, kind: str) -> None:
        body = msgspec.Raw(bytes(mail.body))
        place = (self.lab.now, self.delivered)
        try:
            self._submit(body)
        except msgspec.ValidationError as error:
            self._trouble(mail, 422, f"{kind or 'this'} is not an input of this version: {error}")
            return
        except (self.lab_module.UnknownName, KeyError) as error:
            self.entries.append(Entry(*place, inbox_id, body))  # it counts as an input, so it is replayed too
            self._trouble(mail, 404, str(error.args[0]) if error.args else "there is no such thing here")
            return
        self.entries.append(Entry(*place, inbox_id, body))
        self.unkept = True
        if mail.call and kind not in ANSWERED:
            self._send(mail.gateway, Letter("reply", mail.call, raw(b"{}")))

    def _submit(self, body: msgspec.Raw) -> None:
        item = self.decode_input(body)
        kind = type(item).__name__
        if kind == "HttpIn":
            self.open[(item.conn, item.stream)] = False
            self.unary += 1
        elif kind == "HttpCloseIn":
            self._closed(item.conn, item.stream)
        self.lab.submit(item)

    def _closed(self, conn: str, stream: int) -> None:
        if self.open.pop((conn, stream), True) is False:
            self.unary -= 1

    def _open_door(self) -> None:
        """Time runs again: everybody who waited comes in, in order."""
        waiting, self.waiting = self.waiting, []
        self.mark.ahead = []
        for inbox_id, mail in waiting:
            self._apply(inbox_id, mail, _tag(mail.body))
            self.cursor = max(self.cursor, inbox_id, key=_order)
        self.mark.seen = self.seen

    def _ask(self, mail: Mail) -> None:
        try:
            ask = msgspec.msgpack.decode(mail.body, type=Ask)
            if ask.view == "clock":
                answer: Any = self.clock()
            elif ask.view == "digest":
                answer = {"digest": self.lab.digest(), "now": self.lab.now, "delivered": self.delivered}
            else:
                answer = self.lab.query(ask.view, **ask.args)
        except KeyError as error:
            self._trouble(mail, 404, f"there is no {error.args[0]!r} in this cluster" if error.args else "not found")
        except self.lab_module.UnknownName as error:
            self._trouble(mail, 404, str(error))
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            self._trouble(mail, 422, str(error))
        else:
            self._send(mail.gateway, Letter("reply", mail.call, raw(encode_json(answer))))

    def clock(self) -> dict[str, Any]:
        """Contract's clock, and how many wait at the door."""
        mark = self.mark
        return {
            "nowMicros": self.lab.now // 1000,
            "rate": mark.rate or "max",
            "paused": mark.paused and self.goal is None,
            "waiting": len(self.waiting),
            "ready": self.mark.ready,
        }

    def _pace(self, mail: Mail, wall: float) -> None:
        try:
            pace = msgspec.msgpack.decode(mail.body, type=Pace)
        except msgspec.MsgspecError as error:
            self._trouble(mail, 422, str(error))
            return
        self._anchor(wall)
        self._announce()
        match pace.op:
            case "set":
                self._set(pace)
                self._answer_clock(mail)
            case "run":
                self._finish_goal()
                self.goal = self.lab.now + pace.micros * 1000
                self.goal_asker = (mail.gateway, mail.call)
                self.mark.paused = True
                self._open_door()
            case "step":
                happened = self._step(pace.request)
                self._send(
                    mail.gateway,
                    Letter("reply", mail.call, raw(encode_json({**self.clock(), "events": happened}))),
                )
            case "fork":
                self._fork(mail, pace.name)

    def _announce(self) -> None:
        self.announce = True
        self.next_frame = self.next_model = 0.0

    def _set(self, pace: Pace) -> None:
        if pace.rate is not None:
            self.mark.rate = 0.0 if pace.rate == "max" else float(pace.rate)
        if pace.paused is not None:
            self._finish_goal()
            self.mark.paused = pace.paused
            if not pace.paused:
                self._open_door()

    def _answer_clock(self, mail: Mail) -> None:
        self._send(mail.gateway, Letter("reply", mail.call, raw(encode_json(self.clock()))))

    def _finish_goal(self) -> None:
        if self.goal is None:
            return
        self.goal = None
        asker, self.goal_asker = self.goal_asker, None
        self._anchor()
        self._announce()
        if asker is not None and asker[1]:
            self._send(asker[0], Letter("reply", asker[1], raw(encode_json(self.clock()))))

    def _step(self, request: int) -> list[dict[str, Any]]:
        """To the next stage of ``request``, or to the next visible event; then paused. What happened on the way."""
        self._finish_goal()
        self.mark.paused = True
        self._open_door()
        stages = self._stages(request) if request else 0
        happened: list[dict[str, Any]] = []
        for _ in range(STEP_LIMIT):
            following = self.lab.next_at()
            if following is None:
                break
            self.delivered += self.lab.run_until(following, 1)
            new = self._drain(True)
            happened += new
            if request and (self._stages(request) > stages or self._ended(request)):
                break
            if not request and any(event.get("t") in VISIBLE for event in new):
                break
        self._anchor()
        return happened[-200:]

    def _stages(self, request: int) -> int:
        try:
            return len(self.lab.query("request", id=request)["stages"])
        except KeyError:
            return 0

    def _ended(self, request: int) -> bool:
        try:
            return bool(self.lab.query("request", id=request).get("code"))
        except KeyError:
            return False

    def _fork(self, mail: Mail, name: str) -> None:
        """A second cluster that begins at this instant, paused, with this one's past. Its open requests stay here."""
        link = self.journal.link
        if not name or link.call("EXISTS", keys.spec(name)):
            self._trouble(mail, 409, f"there is a cluster {name!r} already")
            return
        number = int(time.time() * 1000)
        mark = Mark(
            self.lab.now, self.delivered, "0-0", self.mark.rate, True, int(time.time()), self.lab.now, self.delivered,
            ready=self.mark.ready,
            world=self.version,
        )  # fmt: skip
        snapshot = Snapshot(number, self.delivered, [], journal.compress(self.lab.checkpoint()))
        spec = link.call("GET", keys.spec(self.name))
        link.pipeline(
            [
                ("MULTI",),
                ("SET", keys.spec(name), spec),
                ("SET", keys.snapshot(name, 0), encode(snapshot)),
                ("HSET", keys.mark(name), "commit", number, "mark", encode(mark), "side", 0),
                ("EXEC",),
            ]
        )
        self._send(mail.gateway, Letter("reply", mail.call, raw(encode_json(self.clock()))))

    # -- what comes out -------------------------------------------------------------------------------------------

    def _drain(self, keep: bool) -> list[dict[str, Any]]:
        drained = self.lab.drain()
        for output in drained.outputs:
            self._output(output)
        if keep and drained.frames:
            self.feed.add(drained.frames)
        return drained.frames

    def _output(self, output: Any) -> None:
        kind = type(output).__name__
        if kind == "CallOut":
            gateway = output.call.partition("/")[0]
        else:
            gateway = output.conn.partition("/")[0]
            key = (output.conn, output.stream)
            if kind == "HttpResetOut" or output.end:
                self._closed(*key)
            elif kind == "HttpOut" and self.open.get(key) is False:
                self.open[key] = True
                self.unary -= 1
        self._send(gateway, Letter("output", "", raw(output)))

    def _send(self, gateway: str, letter: Letter) -> None:
        if gateway:
            self.letters.setdefault(gateway, []).append(letter)

    def _trouble(self, mail: Mail, status: int, error: str) -> None:
        if mail.call:
            self._send(mail.gateway, Letter("error", mail.call, raw(Trouble(status, error))))

    def _commit(self, wall: float) -> None:
        mark = self.mark
        frame = b""
        if wall >= self.next_frame:
            if len(self.feed) or self.announce:
                self.announce = False
                frame = self.feed.frame(self.lab.now, mark.rate, mark.paused, len(self.waiting))
            mark.fed_now, mark.fed_delivered = self.lab.now, self.delivered
            onlookers = any(self.watching.values())
            self.next_frame = wall + (FRAME_SECONDS if onlookers else IDLE_SECONDS)
        mark.now, mark.delivered, mark.cursor, mark.frame = self.lab.now, self.delivered, self.cursor, self.feed.number
        letters, self.letters = self.letters, {}
        if letters:
            self.busy_until = wall + BUSY
        entries, self.entries = self.entries, []
        number = self.commit + 1 if self.commit else max(self.floor + 1, int(time.time() * 1000))
        outs = {gateway: journal.encode_letters(batch) for gateway, batch in letters.items()}
        self._write(number, mark, entries, frame, outs)
        self.commit = number

    def _write(self, number: int, mark: Mark, entries: list[Entry], frame: bytes, outs: dict[str, bytes]) -> None:
        while True:
            try:
                self.journal.commit(number, self.commit, mark, entries, frame, outs)
                return
            except journal.Lost:
                log.warning("cluster %s: Redis forgot its last moments; writing them again", self.name)
                self.journal.overwrite(self.commit, mark)
                self.side = 1 - self.side
                self._keep_now(number)
            except journal.Fenced:
                if not lease.renew(self.journal.link, self.name, self.journal.token):
                    raise
            except (OSError, resp.ConnectionLost):
                self.journal.use(self.reconnect())

    reconnect: Callable[[], resp.Link]
    """Set by the process: waits for Redis and answers a new link."""

    def keep(self) -> None:
        """Take a snapshot, at a commit."""
        self._commit(time.monotonic())
        self.side = 1 - self.side
        self._keep_now(self.commit)
        for gateway in list(self.seen)[:-GATEWAYS_REMEMBERED]:
            del self.seen[gateway]
        self.unkept = False

    def _keep_now(self, commit: int) -> None:
        started = time.perf_counter()
        snapshot = Snapshot(commit, self.delivered, list(self.open), journal.compress(self.lab.checkpoint()))
        before, cursor = self.snapshot_commit, self.snapshot_cursor
        while True:
            try:
                self.journal.keep(self.side, snapshot, before + 1 if before else 0, cursor)
                break
            except (OSError, resp.ConnectionLost):
                self.journal.use(self.reconnect())
        self.snapshot_commit, self.snapshot_cursor = commit, self.cursor
        self.snapshot_cost = time.perf_counter() - started
        self.debt = 0.0

    def _publish_model(self, wall: float) -> None:
        onlookers = any(self.watching.values())
        self.next_model = wall + (MODEL_SECONDS if onlookers else 10 * MODEL_SECONDS)
        models = [encode_json(self.clock())]
        models += [encode_json(self.lab.query(view)) for view in ("map", "members")]
        names = ("clock", "map", "members")
        try:
            self.journal.link.call(
                "HSET", keys.model(self.name), *(part for pair in zip(names, models, strict=True) for part in pair)
            )
        except (OSError, resp.ConnectionLost):
            self.journal.use(self.reconnect())

    def gateways(self) -> list[str]:
        """Web processes that this cluster still has something open for."""
        names = {conn.partition("/")[0]: None for conn, _ in self.open}
        return list(names | dict.fromkeys(self.watching))

    def forget_gateway(self, gateway: str) -> None:
        """The web process died: its clients are gone, which the cluster learns as it would from their sockets."""
        self.watching.pop(gateway, None)
        for conn, stream in [key for key in self.open if key[0].partition("/")[0] == gateway]:
            close = self.lab_module.HttpCloseIn(conn=conn, stream=stream)
            self._apply("", Mail("input", "", 0, "", raw(close)), "HttpCloseIn")


def _tag(body: msgspec.Raw) -> str:
    class_ = msgspec.msgpack.decode(body, type=_Tagged)
    return class_.type


class _Tagged(msgspec.Struct):
    """Just the tag of an input."""

    type: str = ""


def _order(inbox_id: str) -> tuple[int, int]:
    high, _, low = inbox_id.partition("-")
    return int(high), int(low or 0)


def replay(
    spec: bytes, snapshot: bytes | None, entries: list[Entry], now: int, delivered: int, door: str = "cluster.lab"
) -> tuple[int, int, str]:
    """Run a moment again, from ``snapshot`` (or from nothing) to the point given: ``(now, delivered, digest)`` reached."""
    world: Any = import_module(door)
    decode = msgspec.msgpack.Decoder(world.Input).decode
    done = 0
    if snapshot is None:
        lab = world.Lab.start(msgspec.msgpack.decode(spec, type=world.ClusterSpec))
    else:
        found = msgspec.msgpack.decode(snapshot, type=Snapshot)
        lab, done = world.Lab.restore(journal.decompress(found.world)), found.delivered
    for entry in entries:
        if entry.delivered < done or entry.delivered > delivered:
            continue
        done += lab.run_until(entry.now, entry.delivered - done)
        try:
            lab.submit(decode(entry.input))
        except (world.UnknownName, KeyError):
            pass
        lab.drain()
    done += lab.run_until(now, delivered - done)
    return lab.now, done, lab.digest()
