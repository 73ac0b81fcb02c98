"""The actor behind the browser console: sessions, lines that run in them, the requests those lines wait for.

In → ``ConsoleLine`` and ``ConsoleInterrupt`` from outside; ``HttpResponse``, ``HttpChunk``, ``HttpEnd``, ``HttpReset``, etcd responses and
timers from the world. Out → requests to the balancer (or to etcd members), ``ConsoleOutput`` and ``ConsoleDone`` to the sender.

A line that waits is kept as (text, session as it was, answers so far): see ``cluster.shell``. What was already shown is
counted, so that a line that is rebuilt after a restart shows nothing twice.

Errors: a line that is no sentence of the language answers bash's words and status 2; Ctrl-C ends what runs with 130.
Simplified here: a request that hears nothing for 90 s is given up ("i/o timeout"); kubectl itself would wait for ever
once it is connected. Lines sent while one runs wait their turn, as type-ahead does.
"""

from collections.abc import Generator
from typing import Any, ClassVar

from msgspec import Struct, field
from msgspec.structs import replace

from cluster.shell.commands import COMMANDS
from cluster.shell.effects import (
    Answer,
    Cancel,
    Effect,
    Etcd,
    HostFiles,
    HostWrite,
    Http,
    Image,
    Net,
    Next,
    OnNode,
    Sleep,
    Write,
)  # fmt: skip
from cluster.shell.interpreter import Machine, Terminal
from cluster.shell.language import Incomplete, ShellSyntaxError, parse
from cluster.shell.session import MAX_HISTORY, Session, fresh
from cluster.sim import Actor, Outbox, PeerDown, Timer
from cluster.sim.clock import SECOND
from cluster.wire import etcd
from cluster.wire.console import ConsoleDone, ConsoleInterrupt, ConsoleLine, ConsoleOutput
from cluster.wire.http import HttpCancel, HttpChunk, HttpEnd, HttpRequest, HttpReset, HttpResponse, TlsPeer
from cluster.wire.machine import FilesChange, FilesRequest, ImageChange
from cluster.wire.packet import NetCall, ToolCall

MAX_LINE = 64 << 10
MAX_SESSIONS = 200
MAX_ANSWERS = 40_000
PATIENCE = 90 * SECOND
LOGIN_PATIENCE = 10 * SECOND
"""How long a login waits for its host (ssh's ConnectTimeout, set)."""


class Login(Struct, frozen=True):
    """A host whose file system one meets after ``ssh``: its address, the process that serves it, and the etcd member there ("": none)."""

    host: str
    address: str
    process: str
    member: str = ""


class ConsoleConfig(Struct, frozen=True):
    """How the console reaches its cluster. ``epoch``: Unix seconds of virtual time 0."""

    epoch: int
    server: str = "lb"
    server_url: str = "https://127.0.0.1:6443"
    ca_pem: str = ""
    admin: TlsPeer = TlsPeer()
    kubeconfig: str = ""
    context: str = ""
    nodes: tuple[str, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
    """(name, address) of every Node, for ``ssh``."""
    members: tuple[str, ...] = ()
    """Processes of the etcd members, for ``etcdctl``."""
    logins: tuple[Login, ...] = ()
    """Hosts of the control plane and of etcd."""
    address: str = "172.18.0.1"
    """The client's address as servers see it."""


class RunningLine(Struct):
    """A line that has not ended. ``before`` is the session as it was; ``answers`` is all that happened since."""

    id: int
    sender: str
    line: str
    started: int
    before: Session
    answers: list[Answer] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    waiting: int = 0
    """The request (or etcd call) whose answer is awaited; 0: none or a timer."""
    shown: int = 0
    streams: dict[int, list[Answer]] = field(default_factory=dict)
    """Open streams: pieces that came before anybody asked."""
    peers: dict[int, str] = field(default_factory=dict)
    """Who was asked, of what etcd members and hosts were asked: a watch goes on until it is cancelled."""


class SessionState(Struct):
    """A session with what runs and what waits to run in it."""

    session: Session
    running: RunningLine | None = None
    queue: list[tuple[str, ConsoleLine]] = field(default_factory=list)
    partial: str = ""
    """Text of an incomplete line."""


class ConsoleState(Struct):
    """All sessions, and which session awaits which request."""

    sessions: dict[str, SessionState] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)


class _Live:
    """The cache of one running line: its generator and screen."""

    def __init__(self, generator: Generator[Effect, Answer, int], machine: Machine, terminal: Terminal) -> None:
        self.generator = generator
        self.machine = machine
        self.terminal = terminal


class Console(Actor):
    """The console process."""

    kind: ClassVar[str] = "shell"
    config: ConsoleConfig
    state: ConsoleState

    def fresh(self) -> ConsoleState:
        """No session yet."""
        return ConsoleState()

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        """Nothing survives a restart: it is a terminal."""
        self._lives().clear()

    def status(self) -> dict[str, Any]:
        """How many sessions there are and what runs."""
        running = {name: each.running.line for name, each in self.state.sessions.items() if each.running is not None}
        return {"sessions": len(self.state.sessions), "running": running}

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        """One message."""
        match message:
            case ConsoleLine():
                self._line(src, message, now, out)
            case ConsoleInterrupt(session=name):
                self._interrupt(name, now, out)
            case Timer(name=timer):
                kind, _, name = timer.partition("/")
                state = self.state.sessions.get(name)
                if state is None or state.running is None:
                    return
                if kind == "sleep":
                    self._resume(name, Answer(now, error="timeout"), now, out)
                elif message.data == state.running.waiting:
                    self.state.owners.pop(message.data, None)
                    if message.data not in state.running.peers:
                        out.send(self.config.server, HttpCancel(message.data))
                    self._resume(name, Answer(now, id=message.data, error="timeout"), now, out)
            case HttpResponse(id=request):
                answer = Answer(
                    now, request, message.code, message.headers, message.body, message.doc, stream=message.stream
                )
                self._answered(request, answer, now, out, keep=message.stream)
            case HttpChunk(id=request):
                self._piece(
                    request, Answer(now, request, body=message.data, doc=message.doc, channel=message.channel), now, out
                )
            case HttpEnd(id=request):
                self._piece(request, Answer(now, request, end=True, error=message.error), now, out)
            case HttpReset(id=request, error=why):
                self._reset(request, "refused" if "refused" in why else "reset", now, out)
            case PeerDown(peer=peer):
                if peer == self.config.server:
                    for request in list(self.state.owners):
                        self._reset(request, "refused", now, out)
                else:
                    for request in list(self.state.owners):
                        self._reset(request, "refused", now, out, member=peer)
            case etcd.WatchResponse(watch=request):
                self._watched(
                    request,
                    Answer(now, request, code=200, value=message, stream=not message.canceled or message.created),
                    now,
                    out,
                )
            case _ if hasattr(message, "id") and self._later(message.id):
                self._piece(message.id, Answer(now, message.id, code=200, value=message, end=True), now, out)
            case _ if hasattr(message, "id"):
                self._answered(message.id, Answer(now, message.id, code=200, value=message), now, out)

    # -- lines ---------------------------------------------------------------------------------------------------------

    def _line(self, src: str, message: ConsoleLine, now: int, out: Outbox) -> None:
        name = message.session
        state = self.state.sessions.get(name)
        if state is None:
            if len(self.state.sessions) >= MAX_SESSIONS:
                idle = next((key for key, each in self.state.sessions.items() if each.running is None), None)
                if idle is None:
                    out.send(src, ConsoleOutput(message.id, name, stderr="console: too many sessions\n"))
                    out.send(src, ConsoleDone(message.id, name, 1))
                    return
                del self.state.sessions[idle]
            state = self.state.sessions[name] = SessionState(fresh(self.config.kubeconfig))
        if state.running is not None:
            state.queue.append((src, message))
            return
        self._start(name, state, src, message, now, out)

    def _start(self, name: str, state: SessionState, src: str, message: ConsoleLine, now: int, out: Outbox) -> None:
        text = f"{state.partial}\n{message.line}" if state.partial else message.line
        state.partial = ""
        if len(text) > MAX_LINE:
            self._refuse(name, state, src, message, "bash: line too long", now, out)
            return
        try:
            parse(text)
        except Incomplete:
            state.partial = text
            out.send(src, ConsoleDone(message.id, name, 0, more=True))
            self._next(name, state, now, out)
            return
        except ShellSyntaxError as error:
            self._refuse(name, state, src, message, str(error), now, out)
            return
        if text.strip():
            state.session.history = [*state.session.history, text][-MAX_HISTORY:]
        state.running = RunningLine(message.id, src, text, now, state.session.copy())
        self._drive(name, state, None, out)

    def _refuse(
        self, name: str, state: SessionState, src: str, message: ConsoleLine, why: str, now: int, out: Outbox
    ) -> None:
        state.session.status = 2
        out.send(src, ConsoleOutput(message.id, name, stderr=why + "\n"))
        out.send(src, ConsoleDone(message.id, name, 2))
        self._next(name, state, now, out)

    def _next(self, name: str, state: SessionState, now: int, out: Outbox) -> None:
        """Start the line that was typed ahead, if there is one."""
        if state.queue and state.running is None:
            src, message = state.queue.pop(0)
            self._start(name, state, src, message, now, out)

    def _interrupt(self, name: str, now: int, out: Outbox) -> None:
        state = self.state.sessions.get(name)
        if state is None:
            return
        state.partial = ""
        state.queue = []
        run = state.running
        if run is None:
            return
        live = self._live(name, state)
        out.cancel(f"sleep/{name}")
        out.cancel(f"patience/{name}")
        for member, request in live.machine.parting:
            out.send(member, replace(request, id=out.next_id()), cause=0)
        self._show(name, run, live.terminal, out)
        live.generator.close()
        self._finish(name, state, live, 130, now, out)

    # -- running -------------------------------------------------------------------------------------------------------

    def _lives(self) -> dict[str, _Live]:
        lives = self.__dict__.get("_cache")
        if lives is None:
            lives = self.__dict__["_cache"] = {}
        return lives

    def _live(self, name: str, state: SessionState) -> _Live:
        """The generator of the running line, rebuilt from its answers if this process has none."""
        lives = self._lives()
        if name not in lives:
            run = state.running
            assert run is not None
            live = lives[name] = self._begin(run)
            try:
                next(live.generator)
                for answer in run.answers:
                    live.generator.send(answer)
            except StopIteration:
                raise AssertionError(f"a line took another way when run again: {run.line!r}") from None
        return lives[name]

    def _begin(self, run: RunningLine) -> _Live:
        terminal = Terminal()
        machine = Machine(run.before.copy(), self.config, COMMANDS, run.started, terminal)
        return _Live(machine.run(parse(run.line)), machine, terminal)

    def _resume(self, name: str, answer: Answer, now: int, out: Outbox) -> None:
        state = self.state.sessions[name]
        assert state.running is not None
        out.cancel(f"patience/{name}")
        self._live(name, state)
        self._drive(name, state, answer, out)

    def _drive(self, name: str, state: SessionState, answer: Answer | None, out: Outbox) -> None:
        """Hand ``answer`` to the line and carry out what it asks, until it must wait or has ended."""
        run = state.running
        assert run is not None
        now = run.started if answer is None else answer.now
        if answer is None:
            live = self._lives()[name] = self._begin(run)
        else:
            live = self._live(name, state)
        while True:
            try:
                if answer is None:
                    effect = next(live.generator)
                else:
                    run.waiting = 0
                    run.answers.append(answer)
                    effect = live.generator.send(answer)
            except StopIteration as stop:
                self._show(name, run, live.terminal, out)
                self._finish(name, state, live, stop.value or 0, now, out)
                return
            if len(run.answers) > MAX_ANSWERS:
                live.terminal.pieces.append((2, "bash: this line has run for too long\n"))
                self._show(name, run, live.terminal, out)
                self._finish(name, state, live, 1, now, out)
                return
            answer = self._perform(name, run, effect, now, out)
            if answer is None:
                self._show(name, run, live.terminal, out)
                return

    def _perform(self, name: str, run: RunningLine, effect: Effect, now: int, out: Outbox) -> Answer | None:
        """Carry out one effect; the answer if it is there at once."""
        match effect:
            case Http():
                request = out.next_id()
                run.waiting = request
                run.requests.append(request)
                self.state.owners[request] = name
                message = HttpRequest(
                    request, effect.method, effect.path, effect.query, effect.headers, effect.body, effect.doc, effect.peer,
                    f"{self.config.address}:{40_000 + request % 20_000}",
                )  # fmt: skip
                out.send(self.config.server, message, cause=0)
                out.timer(f"patience/{name}", PATIENCE, request)
            case Next(id=request, timeout=timeout):
                waiting = run.streams.get(request)
                if waiting:
                    return waiting.pop(0)
                if request not in self.state.owners:
                    return Answer(now, request, end=True)
                run.waiting = request
                if timeout:
                    out.timer(f"sleep/{name}", timeout)
            case Write(id=request, data=data, channel=channel):
                if request in self.state.owners:
                    out.send(self.config.server, HttpChunk(request, data, channel=channel))
                return Answer(now, request)
            case Cancel(id=request):
                self._close(run, request, out)
                return Answer(now, request)
            case Sleep(duration=duration):
                out.timer(f"sleep/{name}", max(duration, 0))
            case OnNode(host=host, words=words, stdin=stdin):
                call = self._hand(name, run, out)
                out.send(f"kernel-{host}", ToolCall(call, words, stdin), cause=0)
            case Image(host=host, pod=pod, image=image):
                call = self._hand(name, run, out)
                out.send(f"sshd-{host}", ImageChange(call, pod, image), cause=0)
            case Net(host=host, uid=uid, call=wanted):
                call = self._hand(name, run, out)
                asked = NetCall(
                    call, uid, wanted.protocol, wanted.dst, wanted.port, wanted.payload, wanted.timeout, wanted.patience
                )
                out.send(f"kernel-{host}", asked, cause=0)
            case Etcd(member=member, request=request, timeout=timeout):
                call = self._call(name, run, member, timeout or PATIENCE, out)
                watch = isinstance(request, etcd.WatchCreateRequest)
                out.send(member, replace(request, watch=call) if watch else replace(request, id=call), cause=0)
                if effect.later:
                    run.waiting, run.streams[call] = 0, []
                    out.cancel(f"patience/{name}")
                    return Answer(now, call)
            case HostFiles(host=host):
                process = self._login(host)
                out.send(process, FilesRequest(self._call(name, run, process, LOGIN_PATIENCE, out)), cause=0)
            case HostWrite(host=host, changes=changes):
                process = self._login(host)
                out.send(process, FilesChange(self._call(name, run, process, LOGIN_PATIENCE, out), changes), cause=0)
        return None

    def _login(self, host: str) -> str:
        return next(login.process for login in self.config.logins if login.host == host)

    def _call(self, name: str, run: RunningLine, peer: str, patience: int, out: Outbox) -> int:
        """A number for something that an etcd member or a host is asked, and patience with it."""
        call = out.next_id()
        run.waiting = call
        run.peers[call] = peer
        self.state.owners[call] = name
        out.timer(f"patience/{name}", patience, call)
        return call

    def _later(self, request: int) -> bool:
        """Is it the answer to something that was asked without waiting?"""
        name = self.state.owners.get(request)
        run = self.state.sessions[name].running if name is not None else None
        return run is not None and request in run.streams and request in run.peers

    def _watched(self, request: int, answer: Answer, now: int, out: Outbox) -> None:
        """A piece of an etcd watch: the first is its answer."""
        name = self.state.owners.get(request)
        run = self.state.sessions[name].running if name is not None else None
        if run is not None and request not in run.streams:
            self._answered(request, answer, now, out, keep=True)
        else:
            self._piece(request, answer, now, out)

    def _hand(self, name: str, run: RunningLine, out: Outbox) -> int:
        """A number for something that a node is asked, and patience with it."""
        call = out.next_id()
        run.waiting = call
        self.state.owners[call] = name
        out.timer(f"patience/{name}", 2 * PATIENCE, call)
        return call

    def _answered(self, request: int, answer: Answer, now: int, out: Outbox, *, keep: bool = False) -> None:
        name = self.state.owners.get(request)
        if name is None:
            return
        state = self.state.sessions[name]
        if not keep:
            del self.state.owners[request]
        elif state.running is not None:
            state.running.streams[request] = []
        if state.running is not None and state.running.waiting == request:
            self._resume(name, answer, now, out)

    def _piece(self, request: int, answer: Answer, now: int, out: Outbox) -> None:
        name = self.state.owners.get(request)
        if name is None:
            return
        state = self.state.sessions[name]
        if answer.end:
            del self.state.owners[request]
        run = state.running
        if run is None:
            return
        if run.waiting == request:
            out.cancel(f"sleep/{name}")
            self._resume(name, answer, now, out)
        elif request in run.streams:
            run.streams[request].append(answer)

    def _reset(self, request: int, error: str, now: int, out: Outbox, member: str = "") -> None:
        name = self.state.owners.get(request)
        if name is None:
            return
        run = self.state.sessions[name].running
        if run is None or (member and run.peers.get(request, member) != member):
            return
        if request in run.streams:
            self._piece(request, Answer(now, request, end=True, error=error), now, out)
        else:
            self._answered(request, Answer(now, request, error=error), now, out)

    def _close(self, run: RunningLine, request: int, out: Outbox) -> None:
        watch = run.streams.pop(request, None) is not None
        if self.state.owners.pop(request, None) is None:
            return
        if request not in run.peers:
            out.send(self.config.server, HttpCancel(request))
        elif watch:
            out.send(run.peers[request], etcd.WatchCancelRequest(request), cause=0)

    def _show(self, name: str, run: RunningLine, terminal: Terminal, out: Outbox) -> None:
        """Send what has been printed since the last time, in order."""
        pieces = terminal.pieces[run.shown :]
        run.shown = len(terminal.pieces)
        requests = tuple(run.requests)
        at = 0
        while at < len(pieces):
            end = at
            while end < len(pieces) and pieces[end][0] == pieces[at][0]:
                end += 1
            text = "".join(piece[1] for piece in pieces[at:end])
            if pieces[at][0] == 1:
                out.send(run.sender, ConsoleOutput(run.id, name, stdout=text, requests=requests))
            else:
                out.send(run.sender, ConsoleOutput(run.id, name, stderr=text, requests=requests))
            at = end

    def _finish(self, name: str, state: SessionState, live: _Live, status: int, now: int, out: Outbox) -> None:
        run = state.running
        assert run is not None
        for request in [key for key, owner in self.state.owners.items() if owner == name]:
            self._close(run, request, out)
        out.cancel(f"sleep/{name}")
        out.cancel(f"patience/{name}")
        state.running = None
        state.session = live.machine.session
        state.session.status = status
        self._lives().pop(name, None)
        done = ConsoleDone(run.id, name, status, tuple(run.requests), clear=live.terminal.clear, started=run.started)
        out.send(run.sender, done)
        self._next(name, state, now, out)
