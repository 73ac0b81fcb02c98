"""One cluster being run: applies its mail, lets time pass, commits and releases what it says.

The only module that knows ``cluster.lab``. In → ``Mail`` from the inbox, in order; out → commits (see ``journal``).
``turn`` is one step of it: apply what arrived, let due time pass (at most ``SLICE`` of work), drain, commit; it
answers how long nothing will be due. When time is due says ``pacing``; questions and the clock are ``control``'s;
snapshots ``keeper``'s.

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
from explainer.runs.control import Control
from explainer.runs.feed import Feed, encode_json, frame_pause
from explainer.runs.journal import Journal
from explainer.runs.keeper import REPLAY_BUDGET, Keeper
from explainer.runs.mail import Letter, Mail, Trouble, decode_any, decode_mail, raw
from explainer.runs.pacing import CHUNK, SECOND, SLICE, Pacer
from explainer.runs.record import Entry, Mark, Snapshot
from explainer.runs.tape import Writer

if TYPE_CHECKING:
    from cluster import lab as world_door

log = logging.getLogger("clearplane.runsim")

BOOT_LIMIT = 180 * SECOND
"""Virtual time a new cluster is run as fast as possible until it is ready."""
MODEL_SECONDS = 0.5
MODEL_SHARE = 50
"""Models are written at most a 50th of the time: the larger the cluster, the rarer."""
GATEWAYS_REMEMBERED = 64

DOOR = frozenset(
    {"HttpIn", "HttpDataIn", "HttpCloseIn", "ConsoleIn", "EtcdGatewayIn", "EtcdWatchIn", "EtcdOpIn", "PacketIn"}
)
"""Inputs that wait at the door of a paused cluster."""
ANSWERED = frozenset(
    {"ConsoleIn", "EtcdGatewayIn", "PacketIn", "MemberAddIn", "MemberRemoveIn", "MemberPromoteIn",
     "SnapshotIn", "SnapshotFileIn", "SnapshotRemoveIn", "RestoreIn"}
)  # fmt: skip
"""Inputs that the world itself answers (``CallOut``); the others are acknowledged here when they have a call."""


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
        self.control = Control(self)
        self.seen: dict[str, int] = {}
        """Gateway → number of its last mail."""
        self.next_frame = 0.0
        self.next_model = 0.0
        self.told: tuple[int, int, int] = (-1, 0, 0)
        """How far the cluster was when its map was written last."""
        self.rest_until = 0.0
        """No model before that, whoever comes to look."""
        self.tape = Writer()
        self.announced = False
        """Onlookers are owed a frame even if nothing happened: the clock was set."""
        self._load()
        if self.mark.ready:
            self.control.stops.arm()

    # -- coming up ------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        kept = self.journal.load()
        self.keeper = Keeper(self.journal, lambda: self.reconnect())
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
            self.delivered, self.inputs, since = 0, 0, 0
        else:
            self.delivered, self.inputs, since = snapshot.delivered, snapshot.inputs, snapshot.commit
            self.keeper.instant = snapshot.now
            self.open = dict.fromkeys(snapshot.open, True)
            self.keeper.commit = snapshot.commit
        self.feed = Feed(mark.frame)
        self._replay([entry for commit, entries in kept.entries if commit > since for entry in entries])
        # Nothing may happen for long that would tell it:
        self.feed.revision = max(self.feed.revision, self.lab.revision())
        self.cursor = mark.cursor
        self.seen = dict(mark.seen)
        self.pacer = Pacer(self.lab.now)
        self._remember_leader()

    def _remember_leader(self) -> None:
        """So that the tape doesn't tell of an election before the restart once more."""
        try:
            terms = self.lab.query("terms")
        except KeyError:
            return
        if terms:
            self.tape.leader = (terms[-1]["term"], terms[-1]["leader"])

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
        self.delivered = self.inputs = 0
        self.feed = Feed(max(int(time.time()), frame + 1))
        self.cursor, self.seen = cursor, {}
        life = f"{time.time_ns():x}"
        self.mark = Mark(0, 0, cursor, 1.0, bool(spec.paused), self.feed.number, 0, 0, world=self.version, life=life)
        self.pacer = Pacer(self.lab.now)

    def _replay(self, entries: list[Entry]) -> None:
        """Go from the snapshot to the mark. What was released before is made again and dropped."""
        mark, fed = self.mark, False
        for entry in entries:
            if not fed and entry.delivered >= mark.fed_delivered:
                self._replay_to(mark.fed_now, mark.fed_delivered)
                fed = True
            self._replay_to(entry.now, entry.delivered, keep=fed)
            self.inputs += 1
            try:
                self._submit(entry.input)
            except (self.lab_module.UnknownName, KeyError):
                pass  # as it did the first time; its asker has been told
        if not fed:
            self._replay_to(mark.fed_now, mark.fed_delivered)
        self._replay_to(mark.now, mark.delivered, keep=True)
        self.letters.clear()
        self.tape.take()
        if (self.lab.now, self.delivered) != (mark.now, mark.delivered):
            log.error("cluster %s: replay ended at %d/%d, the mark says %d/%d",
                      self.name, self.lab.now, self.delivered, mark.now, mark.delivered)  # fmt: skip

    def _replay_to(self, now: int, delivered: int, keep: bool = False) -> None:
        if delivered >= self.delivered and now >= self.lab.now:
            self.delivered += self.lab.run_until(now, delivered - self.delivered)
        self.drain(keep)

    # -- one step -------------------------------------------------------------------------------------------------

    def turn(self, mail: list[tuple[str, bytes]], wall: float) -> float:
        """Apply ``mail`` (inbox id, bytes), run what is due at ``wall`` (monotonic s), commit. Seconds until the next turn."""
        for inbox_id, data in mail:
            self._receive(inbox_id, data, wall)
        started = time.thread_time()
        more = self._run(wall)
        self.keeper.debt += time.thread_time() - started
        self.drain(True)
        due = (len(self.feed) or self.announced) and wall >= self.next_frame
        moved = wall >= self.next_frame and self.lab.now != self.mark.now
        if self.letters or self.entries or due or moved:
            self._commit(wall)
        if wall >= self.next_model and wall >= self.rest_until:
            self._publish_model(wall)
        if self.keeper.due(self.lab.now):
            self._commit(time.monotonic())
            self.keeper.begin(self.commit, self.cursor, self.lab.now, self._snapshot)
            self._forget_old_gateways()
        if more:
            return 0.0
        frame_due = self.next_frame if len(self.feed) else None
        return self.pacer.idle_for(wall, self.mark, self.lab.next_at(), self.unary > 0, frame_due)

    def _run(self, wall: float) -> bool:
        """Let time pass; True when there is more to do at once."""
        mark = self.mark
        self.lab.watched(self.onlookers() > 0)  # else nobody follows messages, and the feed would keep them for nobody
        if not mark.ready and not mark.paused:
            return self._boot(wall)
        if self.control.goal is not None:
            more = self._advance(self.control.goal)
            if not more:
                self.control.finish_goal()
            return more
        if mark.paused:
            return False
        if mark.rate == 0:
            self._advance(self.lab.now + 3600 * SECOND)
            self.pacer.anchor(self.lab.now)
            return True
        target = self.pacer.target(self.lab.now, mark.rate, wall)
        more = self._advance(target)
        if more and self.pacer.slipped(self.lab.now, target, mark.rate):
            self.pacer.anchor(self.lab.now, wall)
        return more

    def _boot(self, wall: float) -> bool:
        self._advance(self.lab.now + 100_000_000)
        self.pacer.anchor(self.lab.now)
        if self.lab.ready() or self.lab.now >= BOOT_LIMIT:
            self.mark.ready = True
            self.control.stops.arm()
            log.info("cluster %s: up after %.1f virtual seconds", self.name, self.lab.now / SECOND)
            self.next_model = self.rest_until = 0.0
            self.keeper.debt = REPLAY_BUDGET * 2
        return True

    def _advance(self, target: int) -> bool:
        """Run to ``target`` for at most a slice of work; True when it wasn't reached."""
        until = time.monotonic() + SLICE
        while True:
            done = self.lab.run_until(target, CHUNK)
            self.delivered += done
            if self.control.stand_still() or done < CHUNK:
                return False
            if time.monotonic() >= until:
                return True

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
        self.pacer.touch(wall)
        match mail.kind:
            case "input":
                self._input(inbox_id, mail)
            case "ask":
                self.control.ask(mail)
                self._done(inbox_id)
            case "pace":
                self.control.pace(mail, wall)
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
        if self.mark.paused and self.control.goal is None and kind in DOOR:
            if not self.waiting:
                self.mark.seen = {**self.seen, mail.gateway: mail.number - 1}
            self.waiting.append((inbox_id, mail))
            self.announced = True
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
            self.trouble(mail, 422, f"{kind or 'this'} is not an input of this version: {error}")
            return
        except (self.lab_module.UnknownName, KeyError) as error:
            self._journal(Entry(*place, inbox_id, body))  # it counts as an input, so it is replayed too
            self.trouble(mail, 404, str(error.args[0]) if error.args else "there is no such thing here")
            return
        self._journal(Entry(*place, inbox_id, body))
        if mail.call and kind not in ANSWERED:
            self.send(mail.gateway, Letter("reply", mail.call, raw(b"{}")))

    def _journal(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.inputs += 1

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

    def open_door(self) -> None:
        """Time runs again: everybody who waited comes in, in order."""
        waiting, self.waiting = self.waiting, []
        self.mark.ahead = []
        for inbox_id, mail in waiting:
            self._apply(inbox_id, mail, _tag(mail.body))
            self.cursor = max(self.cursor, inbox_id, key=_order)
        self.mark.seen = self.seen

    # -- what comes out -------------------------------------------------------------------------------------------

    def drain(self, keep: bool) -> list[dict[str, Any]]:
        """Take what the world said: outputs on their way, frames into the feed if ``keep``; the frames."""
        drained = self.lab.drain()
        for output in drained.outputs:
            self._output(output)
        frames = self.control.stops.hold_back(drained.frames) if keep else drained.frames
        if keep and frames:
            self.feed.add(frames)
            self.tape.add(frames, self.lab.now, self.delivered)
        return frames

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
        if gateway in self.seen or kind == "CallOut":  # else it was asked of the cluster that this one was forked from
            self.send(gateway, Letter("output", "", raw(output)))

    def send(self, gateway: str, letter: Letter) -> None:
        """To that web process, with the next commit."""
        if gateway:
            self.letters.setdefault(gateway, []).append(letter)

    def trouble(self, mail: Mail, status: int, error: str) -> None:
        """Tell whoever sent ``mail`` why not."""
        if mail.call:
            self.send(mail.gateway, Letter("error", mail.call, raw(Trouble(status, error))))

    def _commit(self, wall: float) -> None:
        mark = self.mark
        frame = b""
        if wall >= self.next_frame:
            if len(self.feed) or self.announced:
                self.announced = False
                frame = self.feed.frame(self.lab.now, mark.rate, mark.paused, len(self.waiting), self.onlookers(),
                                        self.control.stops.facts())  # fmt: skip
            mark.fed_now, mark.fed_delivered = self.lab.now, self.delivered
            self.next_frame = wall + frame_pause(self.onlookers())
        mark.now, mark.delivered, mark.cursor, mark.frame = self.lab.now, self.delivered, self.cursor, self.feed.number
        letters, self.letters = self.letters, {}
        if letters:
            self.pacer.touch(wall)
        entries, self.entries = self.entries, []
        number = self.commit + 1 if self.commit else max(self.floor + 1, int(time.time() * 1000))
        outs = {gateway: journal.encode_letters(batch) for gateway, batch in letters.items()}
        self._write(number, mark, entries, frame, outs, self.tape.take())
        self.commit = number

    def _write(
        self, number: int, mark: Mark, entries: list[Entry], frame: bytes, outs: dict[str, bytes], tape: bytes
    ) -> None:
        while True:
            try:
                self.journal.commit(number, self.commit, mark, entries, frame, outs, tape)
                return
            except journal.Lost:
                log.warning("cluster %s: Redis forgot its last moments; writing them again", self.name)
                self.journal.overwrite(self.commit, mark)
                self.keeper.now(number, self.cursor, self._snapshot)
            except journal.Fenced:
                if not lease.renew(self.journal.link, self.name, self.journal.token):
                    raise
            except (OSError, resp.ConnectionLost):
                self.journal.use(self.reconnect())

    reconnect: Callable[[], resp.Link]
    """Set by the process: waits for Redis and answers a new link."""

    def keep(self) -> None:
        """Take a snapshot, at a commit, and wait for it."""
        self._commit(time.monotonic())
        self.keeper.now(self.commit, self.cursor, self._snapshot)
        self._forget_old_gateways()

    def _snapshot(self, commit: int) -> Snapshot:
        world = journal.compress(self.lab.checkpoint())
        return Snapshot(commit, self.delivered, list(self.open), world, self.lab.now, self.inputs)

    def _forget_old_gateways(self) -> None:
        for gateway in list(self.seen)[:-GATEWAYS_REMEMBERED]:
            del self.seen[gateway]

    def _publish_model(self, wall: float) -> None:
        pause = MODEL_SECONDS if self.onlookers() else 10 * MODEL_SECONDS
        state = (self.delivered, self.feed.number, self.onlookers())
        names = ("clock",) if state == self.told else ("clock", "map", "members")
        self.told = state
        started = time.perf_counter()
        models = [encode_json(self.control.clock() if name == "clock" else self.control.view(name)) for name in names]
        self.rest_until = wall + MODEL_SHARE * (time.perf_counter() - started)
        self.next_model = wall + pause
        try:
            self.journal.link.call(
                "HSET", keys.model(self.name), *(part for pair in zip(names, models, strict=True) for part in pair)
            )
        except (OSError, resp.ConnectionLost):
            self.journal.use(self.reconnect())

    def onlookers(self) -> int:
        """How many look at the cluster, over all web processes."""
        return sum(self.watching.values())

    def announce(self) -> None:
        """The clock was set: everybody is told at once."""
        self.announced = True
        self.next_frame = self.next_model = 0.0

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
