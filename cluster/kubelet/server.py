"""Port 10250 of a node: ``/containerLogs``, ``/exec``, ``/attach`` and ``/portForward`` (``forward``), which the apiserver calls for kubectl.

In: an ``HttpRequest`` from an apiserver → out: a streamed ``HttpResponse`` with ``HttpChunk`` pieces and an ``HttpEnd``. Logs are plain text;
exec and attach speak the channels of v5.channel.k8s.io: 1 stdout, 2 stderr, 3 the final Status, and towards us 0 (stdin) and 255 (a channel is
closed: the end of stdin). A refusal is an answer with the kubelet's code and words as text. What is read from stdin: ``sessions``.

Simplified here: what a program prints comes from the program model, with the time of printing; commands run by exec finish at once, except
those that use the network (``netexec``).

Upstream: pkg/kubelet/server/server.go, pkg/kubelet/kubelet_pods.go (``GetKubeletContainerLogs``).
"""

from typing import Any
from urllib.parse import parse_qs

import orjson

from cluster.kubelet.forward import Forwarding
from cluster.kubelet.images import short_name
from cluster.kubelet.programs import Program, run_once
from cluster.kubelet.sessions import Sessions, reader_of
from cluster.kubelet.state import ContainerRun, ExecSession, LogStream, PodRun
from cluster.kubelet.status import container_specs
from cluster.network import script
from cluster.network.filters import reads_input
from cluster.network.programs import PROGRAMS
from cluster.sim import SECOND, Outbox
from cluster.sim.clock import parse_rfc3339
from cluster.wire.http import HttpCancel, HttpChunk, HttpEnd, HttpRequest, HttpResponse

TEXT = (("content-type", "text/plain"),)
STDIN, STDOUT, STDERR, ERROR = 0, 1, 2, 3


class Serving(Sessions, Forwarding):
    """The serving part of the kubelet."""

    def serve(self, src: str, message: Any, now: int, out: Outbox) -> None:
        """A request, a piece of stdin, or the end of a stream from an apiserver."""
        if type(message) is HttpRequest:
            parts = message.path.strip("/").split("/")
            query = parse_qs(message.query, keep_blank_values=True)
            if len(parts) == 4 and parts[0] in ("containerLogs", "exec", "attach"):
                run, container, refusal = self._find(parts[1], parts[2], parts[3])
                if run is None or container is None:
                    self._refuse(src, message, 404, refusal, out)
                elif parts[0] == "exec":
                    self._exec(src, message, run, container, query, now, out)
                elif parts[0] == "attach":
                    self._attach(src, message, run, container, query, now, out)
                else:
                    self._logs(src, message, run, container, query, now, out)
            elif parts[0] == "portForward":
                self._forward(src, message, parts, out)
            elif parts == ["healthz"]:
                out.send(src, HttpResponse(message.id, 200, TEXT, b"ok"))
            else:
                self._refuse(src, message, 404, "404 page not found", out)
        elif type(message) is HttpCancel:
            self.state.streams.pop(message.id, None)
            self.state.forwards.pop(message.id, None)
            self.hung_up(message.id, now, out)
            self.net_cut(message.id, out)
            out.cancel(f"log//{message.id}")
        elif type(message) is HttpChunk and message.id in self.state.forwards:
            self.forwarded(message, out)
        elif type(message) is HttpChunk:
            self.stdin(message, now, out)

    def _forward(self, src: str, request: HttpRequest, parts: list[str], out: Outbox) -> None:
        run = next((r for r in self.state.pods.values() if r.key == "/".join(parts[1:3])), None)
        if run is None:
            self._refuse(src, request, 404, "pod does not exist", out)
        elif not self.config.kernel or run.state != "running":
            self._refuse(src, request, 500, f"pod {parts[2]} has no network to forward to", out)
        else:
            self.forward(src, request, run, out)

    @staticmethod
    def _refuse(src: str, request: HttpRequest, code: int, words: str, out: Outbox) -> None:
        out.send(src, HttpResponse(request.id, code, TEXT, words.encode()))

    def _find(self, namespace: str, pod: str, name: str) -> tuple[PodRun | None, ContainerRun | None, str]:
        key = f"{namespace}/{pod}"
        run = next((r for r in self.state.pods.values() if r.key == key), None)
        if run is None:
            return None, None, f'pod "{pod}" not found'
        container = run.containers.get(name)
        return run, container, f'container "{name}" not found in pod "{pod}_{namespace}"'

    # -- logs -----------------------------------------------------------------------------------------------------

    def _logs(
        self,
        src: str,
        request: HttpRequest,
        run: PodRun,
        container: ContainerRun,
        query: dict[str, list[str]],
        now: int,
        out: Outbox,
    ) -> None:
        meta = run.doc["metadata"]
        previous = _flag(query, "previous")
        if previous:
            if container.previous is None and not (
                container.state == "crash-backoff" and container.program is not None
            ):
                words = f'previous terminated container "{container.name}" in pod "{meta["name"]}" not found'
                self._refuse(src, request, 400, words, out)
                return
            if container.state == "crash-backoff" and container.program is not None:
                program, start, end = container.program, container.started_at, container.finished_at
            else:
                assert container.previous is not None
                program, start, end = container.previous
        elif container.program is not None and container.started_at >= 0:
            program, start = container.program, container.started_at
            end = container.finished_at if container.finished_at >= 0 else now
        elif container.previous is not None:
            program, start, end = container.previous
        else:
            words = f'container "{container.name}" in pod "{meta["name"]}" is waiting to start: ' + {
                "ErrImagePull": "trying and failing to pull image",
                "ImagePullBackOff": "trying and failing to pull image",
            }.get(
                container.reason,
                container.reason or ("ContainerCreating" if run.state == "running" else "PodInitializing"),
            )
            self._refuse(src, request, 400, words, out)
            return
        out.send(src, HttpResponse(request.id, 200, TEXT, stream=True))
        stamped = _flag(query, "timestamps")
        since = _since(query, self.config.epoch, now)
        lines = [(start + at, line) for at, line in program.output if start + at <= end]
        shown = [entry for entry in lines if entry[0] >= since]
        tail = query.get("tailLines", [""])[0]
        if tail.isdigit():
            shown = shown[len(shown) - min(int(tail), len(shown)) :]
        data = "".join(self._line(at, line, stamped) for at, line in shown).encode()
        limit = query.get("limitBytes", [""])[0]
        if limit.isdigit():
            data = data[: int(limit)]
        if data:
            out.send(src, HttpChunk(request.id, data))
        if _flag(query, "follow") and not previous and container.state in ("running", "stopping"):
            self.state.streams[request.id] = LogStream(src, run.uid, container.name, len(lines), stamped)
            self._next_line(request.id, program, start, now, out)
        else:
            out.send(src, HttpEnd(request.id))

    def _line(self, at: int, line: str, stamped: bool) -> str:
        text = line.replace("(date)", self.date(at))
        return f"{self.stamp(at)} {text}\n" if stamped else f"{text}\n"

    def _next_line(self, request: int, program: Program, start: int, now: int, out: Outbox) -> None:
        stream = self.state.streams[request]
        if stream.sent < len(program.output):
            out.timer(f"log//{request}", max(0, start + program.output[stream.sent][0] - now), request)

    def log_due(self, request: int, now: int, out: Outbox) -> None:
        """A followed log has a new line."""
        stream = self.state.streams.get(request)
        if stream is None:
            return
        run = self.state.pods.get(stream.uid)
        container = run.containers.get(stream.container) if run is not None else None
        if container is None or container.program is None or container.started_at < 0:
            self.close_logs(stream.uid, stream.container, out)
            return
        program, start = container.program, container.started_at
        data = ""
        while stream.sent < len(program.output) and start + program.output[stream.sent][0] <= now:
            at, line = program.output[stream.sent]
            data += self._line(start + at, line, stream.stamped)
            stream.sent += 1
        if data and stream.attached:
            out.send(stream.client, HttpChunk(request, data.encode(), channel=STDOUT))
        elif data:
            out.send(stream.client, HttpChunk(request, data.encode()))
        self._next_line(request, program, start, now, out)

    def close_logs(self, uid: str, container: str, out: Outbox) -> None:
        """The container ended: its followers have seen everything, its sessions are cut."""
        for request in [i for i, s in self.state.streams.items() if s.uid == uid and s.container == container]:
            stream = self.state.streams.pop(request)
            out.cancel(f"log//{request}")
            if stream.attached:
                self._finish(stream.client, request, 0, out)
            else:
                out.send(stream.client, HttpEnd(request))
        for request in [i for i, e in self.state.execs.items() if e.uid == uid and e.container == container]:
            client, session = self.state.execs[request].client, self.state.execs[request].session
            self.net_cut(request, out)
            if client and not session:
                self._finish(client, request, 137, out)
        for request in [i for i, s in self.state.sessions.items() if s.uid == uid and s.container == container]:
            session = self.state.sessions.pop(request)
            self._finish(session.client, request, 0 if session.main else 137, out)

    # -- exec -----------------------------------------------------------------------------------------------------

    def _exec(
        self,
        src: str,
        request: HttpRequest,
        run: PodRun,
        container: ContainerRun,
        query: dict[str, list[str]],
        now: int,
        out: Outbox,
    ) -> None:
        words = query.get("command") or []
        if container.state != "running" or container.program is None:
            self._refuse(src, request, 404, f'container not found ("{container.name}")', out)
            return
        if not words:
            self._refuse(src, request, 400, "you must specify at least 1 command for the container", out)
            return
        out.send(src, HttpResponse(request.id, 101, (("upgrade", "websocket"), ("connection", "Upgrade")), stream=True))
        if (_flag(query, "stdin") or _flag(query, "input")) and reads_input(words):
            self.open(request.id, ExecSession(src, run.uid, container.name, _flag(query, "tty"), words=words), out)
            return
        if self._uses_network(words, container, run):
            self.net_exec(src, request.id, words, run, container, now, out, _flag(query, "tty"), False)
            return
        code = self._run_command(src, request.id, words, run, container, now, out)
        if code >= 0:
            self._finish(src, request.id, code, out)

    def _uses_network(self, words: list[str], container: ContainerRun, run: PodRun) -> bool:
        """Whether the exec is for ``netexec``: it uses the network, and the image has the program."""
        if not self.config.kernel or not script.concerns(words):
            return False
        name = words[0].rsplit("/", 1)[-1]
        image = short_name(container_specs(run.doc)[container.name][1].get("image", ""))
        return name not in PROGRAMS or script.brings(image, name)

    def _run_command(
        self,
        src: str,
        request: int,
        words: list[str],
        run: PodRun,
        container: ContainerRun,
        now: int,
        out: Outbox,
        tty: bool = False,
        main: bool = False,
    ) -> int:
        """Run one command; its exit code, or -1 when it could not be executed and that has been said. ``main``: it is logged, too."""
        spec = container_specs(run.doc)[container.name][1]
        assert container.program is not None
        lines, code, error = run_once(
            words, self.surroundings(run, spec), container.program, now - container.started_at
        )
        if error:
            status = {"metadata": {}, "status": "Failure", "message": f"command terminated with exit code {code}",
                      "reason": "NonZeroExitCode",
                      "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]}}  # fmt: skip
            out.send(src, HttpChunk(request, (error + "\n").encode(), channel=STDERR))
            out.send(src, HttpChunk(request, orjson.dumps(status), channel=ERROR))
            out.send(src, HttpEnd(request))
            return -1
        end = "\r\n" if tty else "\n"
        for channel, wanted in ((STDOUT, False), (STDERR, True)):
            text = "".join(line.replace("(date)", self.date(now)) + end for line in lines if _is_error(line) == wanted)
            if text:
                out.send(src, HttpChunk(request, text.encode(), channel=STDOUT if tty else channel))
        if main and lines:
            self._log(run, container, tuple(lines), now, out)
        return code

    def _log(self, run: PodRun, container: ContainerRun, lines: tuple[str, ...], now: int, out: Outbox) -> None:
        raise NotImplementedError

    def _finish(self, src: str, request: int, code: int, out: Outbox) -> None:
        if code == 0:
            status: dict[str, Any] = {"metadata": {}, "status": "Success"}
        else:
            status = {"metadata": {}, "status": "Failure", "message": f"command terminated with exit code {code}",
                      "reason": "NonZeroExitCode",
                      "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]}}  # fmt: skip
        out.send(src, HttpChunk(request, orjson.dumps(status), channel=ERROR))
        out.send(src, HttpEnd(request))

    def _attach(
        self,
        src: str,
        request: HttpRequest,
        run: PodRun,
        container: ContainerRun,
        query: dict[str, list[str]],
        now: int,
        out: Outbox,
    ) -> None:
        """What the container's own program prints from now on; what is typed goes to it, if it was started with ``stdin`` and reads.

        What ``kubectl run -i`` started is told from its beginning: a real runtime loses what was printed before somebody was attached.
        """
        if container.state != "running" or container.program is None:
            meta = run.doc["metadata"]
            words = f"container {container.name} not found in pod {meta['name']}_{meta['namespace']}"
            self._refuse(src, request, 500, words, out)
            return
        out.send(src, HttpResponse(request.id, 101, (("upgrade", "websocket"), ("connection", "Upgrade")), stream=True))
        spec = container_specs(run.doc)[container.name][1]
        words = reader_of(spec) if _flag(query, "stdin") else []
        if words:
            once, tty = bool(spec.get("stdinOnce")), bool(spec.get("tty"))
            self.open(
                request.id, ExecSession(src, run.uid, container.name, tty, words=words, main=True, once=once), out
            )
            return
        start, output = container.started_at, container.program.output
        told = 0 if spec.get("stdinOnce") else sum(start + at <= now for at, _ in output)
        self.state.streams[request.id] = LogStream(src, run.uid, container.name, told, False, True)
        self._next_line(request.id, container.program, start, now, out)


def _flag(query: dict[str, list[str]], name: str) -> bool:
    return query.get(name, ["false"])[0].lower() in ("true", "1", "")


def _since(query: dict[str, list[str]], epoch: int, now: int) -> int:
    seconds = query.get("sinceSeconds", [""])[0]
    if seconds.isdigit():
        return now - int(seconds) * SECOND
    text = query.get("sinceTime", [""])[0]
    if text:
        try:
            return parse_rfc3339(text, epoch)
        except ValueError:
            return -1
    return -1


def _is_error(line: str) -> bool:
    return line.startswith(("sh: ", "cat: ", "ls: ", "sleep: ", "tar: "))
