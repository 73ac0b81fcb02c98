"""Programs that use the network, run by exec in a container: real packets of the simulation, through the pod's own resolv.conf.

In: the words of an exec → out: ``NetCall``s to the node's kernel, and what the program prints, as it prints it. A program is a generator; what it
was answered is kept, so a kubelet that is restored from a checkpoint runs it again to the same place (as the browser console does).

Upstream: pkg/kubelet/network/dns/dns.go (resolv.conf), pkg/kubelet/kubelet_pods.go (hosts file).
"""

import re
from typing import Any

from msgspec import Struct, field

from cluster.kubelet import images
from cluster.kubelet.hosted import Hosted
from cluster.kubelet.programs import run_once
from cluster.kubelet.state import ContainerRun, PodRun
from cluster.kubelet.status import container_specs
from cluster.network import script
from cluster.network.effects import Call, Console, Resolver
from cluster.network.resolve import cluster_first
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpChunk
from cluster.wire.packet import NetCall, NetDone

STDOUT, STDERR = 1, 2
MAX_ANSWERS = 5000


class NetExec(Struct):
    """An exec whose program has not ended. ``answers``: (now, what came) so far; ``shown``: pieces already sent."""

    client: str
    uid: str
    container: str
    words: list[str]
    started: int
    tty: bool = False
    session: bool = False
    """Typed in an interactive shell: the prompt comes back when it ends."""
    main: bool = False
    """It is the container's own program: what it prints is the log, and the container ends with it."""
    rest: str = ""
    """Of a line of the log."""
    answers: list[tuple[int, NetDone | None]] = field(default_factory=list)
    shown: int = 0
    waiting: int = 0


class NetExecs(Hosted):
    """A layer of the kubelet."""

    def net_exec(self, client: str, request: int, words: list[str], run: PodRun, container: ContainerRun, now: int, out: Outbox, tty: bool, session: bool) -> None:  # fmt: skip
        """Begin."""
        self.state.execs[request] = NetExec(client, run.uid, container.name, words, now, tty, session)
        self._drive(request, None, now, out)

    def is_main_program(self, words: list[str], run: PodRun, container: ContainerRun) -> bool:
        """Whether a container's own program runs here: a network client that ends by itself. The model foretells all others."""
        endless = re.search(
            r"\b(while|until|for)\b|\bping\b(?!.*\s-[cw])|\bnc\b.*\s-\w*l|(?<![&>])&(?![&\d])", " ".join(words)
        )
        return bool(words) and not endless and self._uses_network(words, container, run)

    def begin_main_program(self, words: list[str], run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        """Begin it."""
        request = out.next_id()
        self.state.execs[request] = NetExec("", run.uid, container.name, words, now, main=True)
        self._drive(request, None, now, out)

    def net_answered(self, done: NetDone, now: int, out: Outbox) -> None:
        """The kernel's answer to a call."""
        if done.id in self.state.forward_calls:
            self.forward_answered(done, out)
            return
        request = self.state.net_calls.pop(done.id, None)
        if request is not None and request in self.state.execs:
            self._drive(request, (now, done), now, out)

    def net_slept(self, request: int, now: int, out: Outbox) -> None:
        """A pause is over."""
        if request in self.state.execs:
            self._drive(request, (now, None), now, out)

    def net_cut(self, request: int, out: Outbox) -> None:
        """The client went away, or the container ended."""
        if self.state.execs.pop(request, None) is not None:
            self._programs().pop(request, None)
            out.cancel(f"exec//{request}")

    def _programs(self) -> dict[int, tuple[Any, Console]]:
        return self.__dict__.setdefault("_generators", {})

    def _program(self, request: int) -> tuple[Any, Console]:
        """The running generator, or the same again from its answers."""
        found = self._programs().get(request)
        if found is None:
            found = self._begin_program(self.state.execs[request])
            self._programs()[request] = found
            if self.state.execs[request].answers:
                next(found[0])
                for answer in self.state.execs[request].answers[:-1]:
                    found[0].send(answer)
        return found

    def _begin_program(self, one: NetExec) -> tuple[Any, Console]:
        run = self.state.pods[one.uid]
        container = run.containers[one.container]
        spec = container_specs(run.doc)[one.container][1]
        around = self.surroundings(run, spec)
        program, at = container.program, one.started - container.started_at

        def local(words: list[str]) -> tuple[list[str], int]:
            assert program is not None
            lines, code, error = run_once(words, around, program, at)
            return ([error] if error else lines), code

        env = {**dict(around.env), "EPOCH": str(self.config.epoch)}
        console = Console(
            self.resolver(run), around.hostname, images.short_name(around.image), env, one.started, local=local
        )
        return script.run(console, one.words), console

    def _drive(self, request: int, answer: tuple[int, NetDone | None] | None, now: int, out: Outbox) -> None:
        one = self.state.execs[request]
        if answer is not None:
            one.answers.append(answer)
        generator, console = self._program(request)
        try:
            effect = next(generator) if answer is None else generator.send(answer)
        except StopIteration as stop:
            self._show(request, one, console, out)
            self._over(request, one, stop.value or 0, out)
            return
        self._show(request, one, console, out)
        if len(one.answers) > MAX_ANSWERS:
            self._over(request, one, 137, out)
        elif isinstance(effect, Call):
            number = out.next_id()
            self.state.net_calls[number] = request
            run = self.state.pods[one.uid]
            uid = "" if run.doc["spec"].get("hostNetwork") else one.uid
            out.send(self.config.kernel, NetCall(number, uid, effect.protocol, effect.dst, effect.port, effect.payload, effect.timeout, effect.patience))  # fmt: skip
        else:
            out.timer(f"exec//{request}", max(effect.duration, 0), request)

    def _show(self, request: int, one: NetExec, console: Console, out: Outbox) -> None:
        pieces, one.shown = console.pieces[one.shown : console.ready()], max(one.shown, console.ready())
        at = 0
        if one.main:
            self._log_pieces(one, "".join(text for _, text in pieces), out)
            return
        while at < len(pieces):
            end = at
            while end < len(pieces) and pieces[end][0] == pieces[at][0]:
                end += 1
            text = "".join(piece[1] for piece in pieces[at:end]).replace("(date)", self.date(self.now))
            text = text.replace("\n", "\r\n") if one.tty else text
            out.send(one.client, HttpChunk(request, text.encode(), channel=STDOUT if one.tty else pieces[at][0]))
            at = end

    def _log_pieces(self, one: NetExec, text: str, out: Outbox, end: bool = False) -> None:
        *lines, one.rest = (one.rest + text).split("\n")
        if end and one.rest:
            lines.append(one.rest)
        run = self.state.pods.get(one.uid)
        if lines and run is not None:
            self._log(run, run.containers[one.container], tuple(lines), self.now, out)

    def _over(self, request: int, one: NetExec, code: int, out: Outbox) -> None:
        del self.state.execs[request]
        self._programs().pop(request, None)
        run = self.state.pods.get(one.uid)
        if one.main:
            self._log_pieces(one, "", out, end=True)
            if run is not None:
                self._died(run, run.containers[one.container], code, self.now, out)
            return
        session = self.state.sessions.get(request) if one.session else None
        if not one.session:
            self._finish(one.client, request, code, out)
            return
        if session is not None:
            session.code = code
            self.prompt(request, session, out)
        self.session_lines(request, self.now, out)

    # -- the pod's own files --------------------------------------------------------------------------------------

    def resolver(self, run: PodRun) -> Resolver:
        """``/etc/resolv.conf`` and ``/etc/hosts`` by the pod's dnsPolicy, dnsConfig and hostAliases."""
        spec, meta = run.doc["spec"], run.doc["metadata"]
        policy = spec.get("dnsPolicy") or "ClusterFirst"
        host = bool(spec.get("hostNetwork"))
        servers, search, options = ["172.18.0.1"], [], {"ndots": "0"}
        if policy == "None":
            servers, options = [], {}
        elif policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not host):
            own = cluster_first(meta["namespace"], (self.config.dns,))
            servers, search, options = list(own.nameservers), list(own.search), {"ndots": str(own.ndots)}
        config = spec.get("dnsConfig") or {}
        servers = list(dict.fromkeys([*servers, *(config.get("nameservers") or ())]))[:3]
        search = list(dict.fromkeys([*search, *(config.get("searches") or ())]))[:32]
        for option in config.get("options") or ():
            options[option["name"]] = option.get("value", "")
        name = spec.get("hostname") or meta["name"]
        mine = (
            (f"{name}.{spec['subdomain']}.{meta['namespace']}.svc.cluster.local", name)
            if spec.get("subdomain")
            else (name,)
        )
        hosts = [("127.0.0.1", ("localhost",)), ("::1", ("localhost", "ip6-localhost", "ip6-loopback")), (run.ip, mine)]
        hosts += [(one["ip"], tuple(one.get("hostnames") or ())) for one in spec.get("hostAliases") or ()]
        ndots = int(options["ndots"]) if options.get("ndots", "").isdigit() else 1
        wait = int(options["timeout"]) if options.get("timeout", "").isdigit() else 5
        attempts = int(options["attempts"]) if options.get("attempts", "").isdigit() else 2
        written = tuple(
            f"{key}:{value}" if value else key for key, value in options.items() if (key, value) != ("ndots", "0")
        )
        return Resolver(
            tuple(servers),
            tuple(search),
            ndots,
            min(wait, 30) * SECOND,
            min(max(attempts, 1), 5),
            tuple(hosts),
            written,
        )
