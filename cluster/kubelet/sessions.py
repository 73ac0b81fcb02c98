"""Programs that read their standard input: a shell that runs it line by line, a filter that is run at its end.

In: pieces of stdin and its end (the client closed the channel, typed Ctrl-D, or went away) → out: what the program prints, and its status.
``echo ls | kubectl exec -i pod -- sh``, ``kubectl exec -i pod -- cat < file``, ``kubectl run -it … -- sh``, ``kubectl attach``.

A container's own shell or filter (started with ``stdin: true``) lives on when somebody detaches, unless ``stdinOnce``; when it exits, so has the
container. What it prints is the container's log, too.

Simplified here: no line is edited (what the terminal sends is echoed); filters read all their input before they print.
"""

from typing import Any

from cluster.kubelet.agent import Agent
from cluster.kubelet.images import short_name
from cluster.kubelet.state import ContainerRun, ExecSession, PodRun
from cluster.network import filters
from cluster.sim import Outbox
from cluster.wire.http import HttpChunk

STDIN, STDOUT, CLOSE = 0, 1, 255
OWN_SHELL = {"busybox": "sh", "alpine": "sh", "debian": "bash", "ubuntu": "bash", "bash": "bash", "netshoot": "zsh"}
"""Images whose own command is a shell."""
MAX_INPUT = 1 << 20
"""Bytes of stdin that a filter takes; it is ended with status 137 by more."""
END_OF_INPUT = "\x04"


def reader_of(spec: dict[str, Any]) -> list[str]:
    """The words of a container's own program that reads what is typed: a shell, or a filter; [] if it reads nothing."""
    if not spec.get("stdin"):
        return []
    words = [*(spec.get("command") or ()), *(spec.get("args") or ())]
    if not words:
        shell = OWN_SHELL.get(short_name(spec.get("image", "")), "")
        return [shell] if shell else []
    return words if filters.reads_input(words) else []


class Sessions(Agent):
    """A layer of the kubelet."""

    def open(self, request: int, session: ExecSession, out: Outbox) -> None:
        """The program runs and reads."""
        self.state.sessions[request] = session
        self.prompt(request, session, out)

    def prompt(self, request: int, session: ExecSession, out: Outbox) -> None:
        """A shell on a terminal asks for the next line."""
        if session.tty and self._shell(session):
            out.send(session.client, HttpChunk(request, b"# ", channel=STDOUT))

    @staticmethod
    def _shell(session: ExecSession) -> bool:
        return not filters.known(session.words[0].rsplit("/", 1)[-1]) if session.words else True

    def stdin(self, chunk: HttpChunk, now: int, out: Outbox) -> None:
        """A piece of it, or its end."""
        session = self.state.sessions.get(chunk.id)
        if session is None or chunk.channel not in (STDIN, CLOSE, -1):
            return
        if chunk.channel == CLOSE:
            session.closed = session.closed or chunk.data[:1] == b"\0"
            self.session_lines(chunk.id, now, out)
            return
        text = chunk.data.decode("utf-8", "replace")
        if session.tty:
            text = text.replace("\r", "\n")
            echoed = text.replace(END_OF_INPUT, "").replace("\n", "\r\n")
            if echoed:
                out.send(session.client, HttpChunk(chunk.id, echoed.encode(), channel=STDOUT))
            text, ended, _ = text.partition(END_OF_INPUT)
            session.closed = session.closed or bool(ended)
        session.line += text
        self.session_lines(chunk.id, now, out)

    def hung_up(self, request: int, now: int, out: Outbox) -> None:
        """The client went away. A container's shell that had its only client has its input closed."""
        session = self.state.sessions.pop(request, None)
        if session is not None and session.main and session.once:
            run, container = self._of(session)
            if run is not None and container is not None:
                self._died(run, container, session.code, now, out)

    def _of(self, session: ExecSession) -> tuple[PodRun | None, ContainerRun | None]:
        run = self.state.pods.get(session.uid)
        return run, run.containers.get(session.container) if run is not None else None

    def session_lines(self, request: int, now: int, out: Outbox) -> None:
        """Run what was typed, line by line; a program that waits for the network holds up the next line, as a shell does."""
        session = self.state.sessions.get(request)
        if session is None:
            return
        run, container = self._of(session)
        if run is None or container is None or container.program is None:
            return
        if not self._shell(session):
            self._filter(request, session, now, out)
            return
        while request not in self.state.execs and ("\n" in session.line or (session.closed and session.line)):
            line, _, session.line = session.line.partition("\n")
            word = line.strip()
            if word == "exit" or word.startswith("exit "):
                code = word[5:].strip()
                session.code = int(code) & 0xFF if code.isdigit() else session.code
                self._leave(request, session, now, out)
                return
            if word and self._uses_network(["sh", "-c", word], container, run):
                self.net_exec(session.client, request, ["sh", "-c", word], run, container, now, out, session.tty, True)
                continue
            if word:
                before = container.program
                code = self._run_command(
                    session.client, request, ["sh", "-c", word], run, container, now, out, session.tty, session.main
                )
                session.code = 126 if code < 0 else code
                if container.program is None or container.state != "running" or before is None:
                    return
            self.prompt(request, session, out)
        if session.closed and request not in self.state.execs:
            self._leave(request, session, now, out)

    def _filter(self, request: int, session: ExecSession, now: int, out: Outbox) -> None:
        if len(session.line) > MAX_INPUT:
            session.code = 137
        elif session.closed:
            name, args = session.words[0].rsplit("/", 1)[-1], session.words[1:]
            lines, session.code = filters.run(name, args, session.line.splitlines())
            text = "".join(f"{line}\r\n" if session.tty else f"{line}\n" for line in lines)
            if name == "cat" and not session.line.endswith("\n") and not session.tty:
                text = text[:-1]
            if text:
                out.send(session.client, HttpChunk(request, text.encode(), channel=STDOUT))
            run, container = self._of(session)
            if session.main and run is not None and container is not None and lines:
                self._log(run, container, tuple(lines), now, out)
        else:
            return
        self._leave(request, session, now, out)

    def _leave(self, request: int, session: ExecSession, now: int, out: Outbox) -> None:
        """The program ends; if it is the container's own, so does the container."""
        self.state.sessions.pop(request, None)
        run, container = self._of(session)
        if session.main and run is not None and container is not None:
            self._finish(session.client, request, 0, out)
            self._died(run, container, session.code, now, out)
        else:
            self._finish(session.client, request, session.code, out)

    # -- what higher layers provide -------------------------------------------------------------------------------

    def _uses_network(self, words: list[str], container: ContainerRun, run: PodRun) -> bool:
        raise NotImplementedError

    def _run_command(
        self, src: str, request: int, words: list[str], run: PodRun, container: ContainerRun, now: int, out: Outbox,
        tty: bool = False, main: bool = False,
    ) -> int:  # fmt: skip
        raise NotImplementedError

    def _finish(self, src: str, request: int, code: int, out: Outbox) -> None:
        raise NotImplementedError

    def _log(self, run: PodRun, container: ContainerRun, lines: tuple[str, ...], now: int, out: Outbox) -> None:
        raise NotImplementedError

    def _died(self, run: PodRun, container: ContainerRun, code: int, now: int, out: Outbox) -> None:
        raise NotImplementedError
