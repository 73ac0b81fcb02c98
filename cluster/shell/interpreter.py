"""Runs a ``Script``: expands words, joins commands by pipes, keeps variables and the status.

In → the syntax tree, a private copy of the session, the console's configuration. Out → a generator of ``Effect``s
that ends with the exit status; what commands print goes to a ``Terminal`` in order.

Errors end up as bash's texts on standard error with bash's statuses: 127 command not found, 130 interrupted, 1 and 2 for bad
redirections and syntax. Limits: commands a line, characters of output, words.

Simplified here: the commands of a pipeline run one after another, each to its end, and hand on whole texts, except where
everything behind the first passes lines on as they come (``flowing``).
"""

from collections.abc import Generator, Mapping
from typing import Any

from cluster.shell.effects import Answer, Effect, HostFiles, HostWrite
from cluster.shell.flowing import enough, flows
from cluster.shell.language import Command, Part, Pipeline, Redirect, Script, ShellSyntaxError, Word, parse
from cluster.shell.session import FileError, Files, Session

MAX_COMMANDS = 500
MAX_OUTPUT = 4 << 20
MAX_WORDS = 5_000
MAX_FLOWING = 1 << 18
"""Characters in a pipe up to which lines flow on at once; a longer text waits for its end."""

Run = Generator[Effect, Answer, int]


class Limit(Exception):
    """The line asks for too much; the text says of what."""


class Terminal:
    """What the person sees, in order: ``(descriptor, text)`` pieces."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, str]] = []
        self.size = 0
        self.clear = False

    def write(self, descriptor: int, text: str) -> None:
        """Print."""
        if not text:
            return
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise Limit("output")
        self.pieces.append((descriptor, text))


class Sink:
    """Where a descriptor leads: the terminal, a buffer (pipe, substitution) or a file."""

    def __init__(self, terminal: Terminal | None = None, descriptor: int = 1, file: str = "") -> None:
        self.terminal = terminal
        self.descriptor = descriptor
        self.file = file
        self.append = False
        self.parts: list[str] = []
        self.size = 0

    def write(self, text: str) -> None:
        """Add ``text``."""
        if self.terminal is not None:
            self.terminal.write(self.descriptor, text)
            return
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise Limit("output")
        self.parts.append(text)

    def text(self) -> str:
        """What was written to a buffer."""
        return "".join(self.parts)


class Context:
    """What a command sees of the world. ``args`` are its words after the name."""

    def __init__(self, machine: "Machine", name: str, args: list[str], stdin: str | None, out: Sink, err: Sink) -> None:
        self.machine = machine
        self.name = name
        self.args = args
        self._stdin = stdin
        self._out = out
        self._err = err
        self.env: dict[str, str] = {}
        self.session = machine.session
        self.config = machine.config

    @property
    def files(self) -> Files:
        """The files of the place one is at."""
        return self.machine.files

    def run(self, text: str) -> Run:
        """Run another line here and now; its status."""
        return self.machine.run_within(parse(text), self._out, self._err)

    def at(self, host: str, text: str) -> Run:
        """Run another line on a host, and be back."""
        return self.machine.at(host, text, self._out, self._err)

    @property
    def stdin(self) -> str:
        """Standard input; empty at a terminal."""
        return self._stdin or ""

    @property
    def has_stdin(self) -> bool:
        """Whether something is piped or redirected in."""
        return self._stdin is not None

    @property
    def now(self) -> int:
        """Virtual ns when the command last learnt the time: at its start or at the last answer."""
        return self.machine.now

    @property
    def terminal(self) -> Terminal:
        """The screen itself (``clear``)."""
        return self.machine.terminal

    def out(self, text: str) -> None:
        """Print on standard output."""
        self._out.write(text)

    def err(self, text: str) -> None:
        """Print on standard error."""
        self._err.write(text)


class Machine:
    """One line being run."""

    def __init__(
        self, session: Session, config: Any, commands: Mapping[str, Any], now: int, terminal: Terminal
    ) -> None:
        self.session = session
        self.files = Files(session.files)
        self.host = ""
        """Whose files ``files`` are; "": the session's own."""
        self.known: dict[str, str | bytes] = {}
        """What that host's disk holds, as far as it was told."""
        self.parting: tuple[tuple[str, Any], ...] = ()
        """(etcd member, request) to be sent when the line is interrupted."""
        self.config = config
        self.commands = commands
        self.now = now
        self.terminal = terminal
        self.count = 0

    def run(self, script: Script) -> Run:
        """The whole line; the status of its last command."""
        out, err = Sink(self.terminal, 1), Sink(self.terminal, 2)
        try:
            if not (yield from self._arrive(err)):
                return 255
            return (yield from self._script(script, None, out, err))
        except Limit as limit:
            self.terminal.pieces.append((2, f"bash: too much {limit} for this console\n"))
            return 1

    def _script(self, script: Script, stdin: str | None, out: Sink, err: Sink) -> Run:
        for pipeline in script.pipelines:
            if pipeline.connector == "&&" and self.session.status != 0:
                continue
            if pipeline.connector == "||" and self.session.status == 0:
                continue
            status = yield from self._pipeline(pipeline, stdin, out, err)
            if self.host or self.session.host:
                status = (yield from self._settle(err)) or status
            if pipeline.negated:
                status = 0 if status else 1
            self.session.status = status
        return self.session.status

    def run_within(self, script: Script, out: Sink, err: Sink) -> Run:
        """A line within a command of a line."""
        return (yield from self._script(script, None, out, err))

    def at(self, host: str, text: str, out: Sink, err: Sink) -> Run:
        """Run ``text`` on ``host``, and be back (``ssh host text``)."""
        before, self.session.host = self.session.host, host
        status = 255
        if (yield from self._arrive(err)):
            status = yield from self._script(parse(text), None, out, err)
        self.session.host = before
        yield from self._arrive(err)
        return status

    def _arrive(self, err: Sink) -> Generator[Effect, Answer, bool]:
        """From now on ``files`` are those of the place one is at. False: its host does not answer."""
        host = self.session.host if any(login.host == self.session.host for login in self.config.logins) else ""
        if host == self.host:
            return True
        self.host, self.files = host, Files(self.session.files)
        if host:
            answer = yield HostFiles(host)
            self.now = answer.now
            if answer.value is None:
                err.write(
                    f"client_loop: send disconnect: Broken pipe\nssh: connect to host {host} port 22: {answer.error}\n"
                )
                self.host = self.session.host = ""
                return False
            self.known = answer.value.files
            self.files = Files(dict(self.known))
            self.files.most_bytes = 64 << 20
        return True

    def _settle(self, err: Sink) -> Generator[Effect, Answer, int]:
        """Tell the host what became of its files; then look whether one is still there."""
        files = self.files.all()
        if self.host and files != self.known:
            changes = [(path, content) for path, content in files.items() if self.known.get(path) is not content]
            gone = [(path, None) for path in self.known if path not in files]
            answer = yield HostWrite(self.host, (*gone, *changes))
            self.now = answer.now
            if answer.value is None or answer.value.error:
                err.write(f"{answer.value.error if answer.value is not None else 'Connection lost'}\n")
                return 1
            self.known = dict(files)
        return 0 if (yield from self._arrive(err)) else 255

    def _pipeline(self, pipeline: Pipeline, stdin: str | None, out: Sink, err: Sink) -> Run:
        status, text = 0, stdin
        last = len(pipeline.commands) - 1
        if last and flows(pipeline.commands[1:]):
            return (yield from self._flowing(pipeline, stdin, out, err))
        for place, command in enumerate(pipeline.commands):
            sink = out if place == last else Sink()
            status = yield from self._command(command, text, sink, err, alone=last == 0)
            text = sink.text() if place != last else None
        return status

    def _flowing(self, pipeline: Pipeline, stdin: str | None, out: Sink, err: Sink) -> Run:
        """A pipeline whose right side passes on every line as it comes."""
        first, *rest = pipeline.commands
        pipe, shown, seen = Sink(), "", 0
        wanted = enough(rest[-1])
        left = self._command(first, stdin, pipe, err, alone=False)
        try:
            effect = next(left)
            while True:
                if pipe.size != seen and pipe.size <= MAX_FLOWING:
                    seen = pipe.size
                    ready = pipe.text()
                    said, _ = self._pass(rest, ready[: ready.rfind("\n") + 1], Sink())
                    if said.startswith(shown):
                        out.write(said[len(shown) :])
                        shown = said
                    if wanted and shown.count("\n") >= wanted:
                        left.close()
                        break
                answer = yield effect
                effect = left.send(answer)
        except StopIteration:
            pass
        said, status = self._pass(rest, pipe.text(), err)
        out.write(said.removeprefix(shown))
        return status

    def _pass(self, commands: list[Command], text: str, err: Sink) -> tuple[str, int]:
        """``text`` through commands that wait for nothing: (what comes out, the last status)."""
        status, count = 0, self.count
        for command in commands:
            sink = Sink()
            try:
                next(self._command(command, text, sink, err, alone=False))
                raise AssertionError("a filter waits")
            except StopIteration as stop:
                status = stop.value or 0
            text = sink.text()
        self.count = count + len(commands) if err.terminal is not None else count
        return text, status

    def _command(self, command: Command, stdin: str | None, out: Sink, err: Sink, *, alone: bool) -> Run:
        self.count += 1
        if self.count > MAX_COMMANDS:
            raise Limit("work")
        substituted = self.session.status
        words: list[str] = []
        for word in command.words:
            words.extend((yield from self._fields(word, err)))
            if len(words) > MAX_WORDS:
                raise Limit("words")
        opened: list[Sink] = []
        shell_err = err
        for redirect in command.redirects:
            target = yield from self._text(redirect.target, err)
            try:
                stdin, out, err = self._redirect(redirect, target, stdin, out, err, opened)
            except FileError as error:
                shell_err.write(f"bash: {target}: {error}\n")
                return 1
        values: dict[str, str] = {}
        for name, word in command.assignments:
            self.session.status = 0
            values[name] = yield from self._text(word, shell_err)
            substituted = self.session.status
        if not words:
            if alone:
                self.session.env.update(values)
            status = substituted if command.assignments else 0
        else:
            status = yield from self._execute(words, values, stdin, out, err)
        for sink in opened:
            try:
                self.files.write(sink.file, sink.text(), append=sink.append)
            except FileError as error:
                shell_err.write(f"bash: {sink.file}: {error}\n")
                status = 1
        return status

    def _execute(self, words: list[str], values: dict[str, str], stdin: str | None, out: Sink, err: Sink) -> Run:
        name, *args = words
        command = self.commands.get(
            name.removeprefix("/usr/bin/").removeprefix("/usr/local/bin/").removeprefix("/bin/")
        )
        if command is None:
            err.write(f"{name}: command not found\n")
            return 127
        context = Context(self, name, args, stdin, out, err)
        exported = {key: value for key, value in self.session.env.items() if self.session.exported.get(key)}
        context.env = {**exported, **values}
        try:
            result = command.run(context)
            if isinstance(result, int):
                return result
            return (yield from self._timed(result))
        except Limit:
            raise
        except RecursionError:
            err.write(f"{name}: nested too deeply for this console\n")
        except Exception as error:  # a command must not take the cluster's world with it: say it and go on
            err.write(f"{name}: internal error: {type(error).__name__}: {error}\n")
        return 70

    def _timed(self, generator: Run) -> Run:
        """Pass effects on, noting the time of every answer."""
        try:
            effect = next(generator)
            while True:
                answer = yield effect
                self.now = max(self.now, answer.now)  # a buffered piece may be older than the last answer
                effect = generator.send(answer)
        except StopIteration as stop:
            return stop.value or 0

    def _redirect(
        self, redirect: Redirect, target: str, stdin: str | None, out: Sink, err: Sink, opened: list[Sink]
    ) -> tuple[str | None, Sink, Sink]:
        match redirect.operator:
            case "<":
                return self.files.read(target), out, err
            case "<<":
                return target, out, err
            case ">&":
                if target not in ("1", "2"):
                    raise FileError("ambiguous redirect")
                sink = out if target == "1" else err
            case _:
                sink = Sink(file=target)
                sink.append = redirect.operator == ">>"
                if not sink.append:
                    self.files.write(target, "")
                opened.append(sink)
        return (stdin, sink, err) if redirect.descriptor == 1 else (stdin, out, sink)

    def _fields(self, word: Word, err: Sink) -> Generator[Effect, Answer, list[str]]:
        """The word expanded and split: unquoted expansions make fields at white space, quoted text never does."""
        fields: list[str] = []
        current: str | None = None
        for place, part in enumerate(word):
            if part.kind == "text":
                text = part.text
                if place == 0 and not part.quoted and (text == "~" or text.startswith("~/")):
                    text = self.session.env.get("HOME", "") + text[1:]
                current = (current or "") + text
                continue
            value = yield from self._part(part, err)
            if part.quoted:
                current = (current or "") + value
                continue
            pieces = value.split()
            if not pieces:
                if value and current is not None:
                    fields.append(current)
                    current = None
                continue
            if value[0].isspace() and current is not None:
                fields.append(current)
                current = None
            current = (current or "") + pieces[0]
            for piece in pieces[1:]:
                fields.append(current)
                current = piece
            if value[-1].isspace():
                fields.append(current)
                current = None
        if current is not None:
            fields.append(current)
        wild = [part.quoted for part in word if part.kind == "text" and any(letter in part.text for letter in "*?[")]
        if wild and not any(wild) and len(fields) == 1:
            return self.files.matching(fields[0]) or fields
        return fields

    def _text(self, word: Word, err: Sink) -> Generator[Effect, Answer, str]:
        """The word expanded and not split, as in assignments and redirections."""
        found: list[str] = []
        for place, part in enumerate(word):
            if part.kind == "text":
                text = part.text
                if place == 0 and not part.quoted and (text == "~" or text.startswith("~/")):
                    text = self.session.env.get("HOME", "") + text[1:]
                found.append(text)
            else:
                found.append((yield from self._part(part, err)))
        return "".join(found)

    def _part(self, part: Part, err: Sink) -> Generator[Effect, Answer, str]:
        if part.kind == "command":
            assert part.script is not None
            sink = Sink()
            kept = dict(self.session.env)
            yield from self._script(part.script, None, sink, err)
            self.session.env = kept
            return sink.text().rstrip("\n").replace("\0", "")
        if part.kind == "default":
            value = self.session.env.get(part.text, "")
            if value or part.script is None:
                return value
            return (yield from self._text(part.script.pipelines[0].commands[0].words[0], err))
        value = self._variable(part.text)
        return str(len(value)) if part.kind == "length" else value

    def _variable(self, name: str) -> str:
        if name == "?":
            return str(self.session.status)
        if name in ("$", "#", "0", "@", "*"):
            return {"$": "1", "#": "0", "0": "bash"}.get(name, "")
        return self.session.env.get(name, "")


__all__ = ["Context", "Limit", "Machine", "Run", "ShellSyntaxError", "Sink", "Terminal"]


def shell_words(words: list[str]) -> str:
    """Words as a line that means them."""
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
