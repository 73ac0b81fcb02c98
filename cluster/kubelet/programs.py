"""What a container's command does: how long it runs, what it prints, how it ends. A small honest model, not a computer.

In: the words of a command → out: a ``Program``. Understood are the everyday commands people put in manifests (``sleep``, ``echo``,
``true``, ``false``, ``exit``, ``cat``, ``env``, ``touch``, ``rm`` …) alone or in ``sh -c`` scripts joined by ``;``, ``&&``, ``||`` and newlines,
``while true`` loops, and pipes into nothing special. One-liners of interpreters (``perl -wle``, ``python -c`` …) end after three seconds
and print the plain strings they are asked to print; clients (``curl``, ``psql``, ``kubectl`` …) end after half a second.

Simplified here: no process is run. A command that isn't known to the model is taken for a server that runs until it is stopped,
except in images whose tools are known (busybox, alpine, debian …): there it isn't found. An image's own entrypoint runs until it is
stopped, even where the real one would end at once for want of a terminal; ``hello-world`` ends. Files are those a script touches.
"""

import re
import shlex
from collections.abc import Mapping
from itertools import pairwise

from msgspec import Struct

from cluster.kubelet.images import short_name
from cluster.sim import MILLISECOND, MINUTE, SECOND

STEP = 2 * MILLISECOND
"""What a command of no duration takes."""
LOOP_LINES = 600
"""Lines of output of an endless loop that are foreseen; later ones are not printed."""
SHELLS = ("sh", "bash", "ash", "dash")
SMALL_IMAGES = ("busybox", "alpine", "debian", "ubuntu", "bash")
_TOOL_NAMES = (
    "sh bash ash [ basename cat chmod chown cp cut date dd df dirname du echo env expr false find free grep "
    "head hostname id kill ls mkdir mktemp mv nc netstat nslookup ping printenv printf ps pwd rm rmdir sed seq "
    "sleep sort sync tail tar tee test time timeout top touch tr true uname uniq uptime vi wc wget which "
    "whoami yes httpd awk xargs watch nohup trap tty stat ip ifconfig route telnet od md5sum sha256sum base64 "
    "gzip gunzip ln readlink less more dmesg mount "
)
TOOLS = frozenset(_TOOL_NAMES.split())
"""Programs that busybox, alpine and debian images bring and the model knows."""
INTERPRETERS = {"perl": "e", "python": "c", "python3": "c", "node": "e", "ruby": "e", "php": "r"}
"""Interpreter → the last letter of the option that takes a program's text."""
CLIENTS = frozenset(
    ("apk", "apt", "apt-get", "curl", "dig", "etcdctl", "git", "host", "kubectl", "mysqladmin", "npm", "openssl", "pg_dump",
     "pg_isready", "pip", "psql", "redis-cli", "yarn")
)  # fmt: skip
"""Commands that ask something and end."""
_PRINTED = re.compile(r"""(?:print|puts|echo|console\.log|say)\s*\(?\s*(["'])(.*?)(?<!\\)\1""")
_UNITS = {"s": SECOND, "m": MINUTE, "h": 60 * MINUTE, "d": 24 * 60 * MINUTE, "": SECOND}


_CONSTRUCTS = tuple(
    re.compile(pattern, re.S)
    for pattern in (
        r"\bwhile\s+(?P<always>true|:|sleep\s+[^;\n]+)\s*[;\n]\s*do\b(?P<body>.*?)\bdone\b",
        r"\bfor\s+(?P<name>\w+)\s+in\s+(?P<words>[^;\n]*)[;\n]\s*do\b(?P<body>.*?)\bdone\b",
        r"\bif\s+(?P<test>.*?)[;\n]\s*then\b(?P<then>.*?)(?:\belse\b(?P<otherwise>.*?))?\bfi\b",
        r"\b(?:until|while)\s+(?!true\b|:\s|sleep\b)(?P<condition>.*?)[;\n]\s*do\b.*?\bdone\b",
    )
)


class Program(Struct, frozen=True):
    """``ends`` ns after the start with ``exit_code``; None: runs until stopped. ``output``: (ns after the start, line)."""

    ends: int | None = None
    exit_code: int = 0
    output: tuple[tuple[int, str], ...] = ()
    files: tuple[tuple[int, str, bool], ...] = ()
    """(ns after the start, path, whether it exists from then on)."""
    start_error: str = ""
    """The OCI runtime's words when it cannot be executed at all."""
    ignores_term: bool = False
    """As PID 1 without a handler: SIGTERM does nothing, the grace period runs out."""

    def exists(self, path: str, at: int) -> bool:
        """Whether ``path`` exists ``at`` ns after the start."""
        there = False
        for when, name, exists in self.files:
            if when <= at and name == path:
                there = exists
        return there


class Surroundings(Struct, frozen=True):
    """What commands can ask about."""

    hostname: str
    env: tuple[tuple[str, str], ...] = ()
    image: str = ""
    files: tuple[str, ...] = ()


def expand(text: str, env: Mapping[str, str]) -> str:
    """Kubernetes' ``$(NAME)`` in commands and arguments; ``$$(NAME)`` stays ``$(NAME)``."""
    return re.sub(
        r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)",
        lambda m: "$" if m[1] is None else env.get(m[1], m[0]),
        text,
    )


DIRECTORIES = tuple(f"/{name}" for name in "bin dev etc home lib proc root sys tmp usr var".split())
ETC = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
"""What the kubelet puts into every container."""


def not_found(word: str) -> str:
    """runc's words for a command that isn't in the image."""
    reason = "no such file or directory" if "/" in word else "executable file not found in $PATH"
    kind = "stat " + word if "/" in word else f'"{word}"'
    what = f"exec: {kind}: {reason}" if "/" not in word else f'exec: "{word}": stat {word}: {reason}'
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        f"unable to start container process: error during container init: {what}: unknown"
    )


def program(command: list[str], args: list[str], around: Surroundings) -> Program:
    """What a container with this command and these args does."""
    words = [expand(w, dict(around.env)) for w in [*command, *args]]
    if not command:
        if short_name(around.image) == "hello-world":
            return Program(50 * MILLISECOND, 0, ((0, ""), (0, "Hello from Docker!")))
        if not args or short_name(around.image) not in SMALL_IMAGES:
            return Program(output=startup_lines(around.image))
    name = words[0].rsplit("/", 1)[-1]
    if name not in TOOLS:
        if short_name(around.image) in SMALL_IMAGES:
            return Program(start_error=not_found(words[0]))
        return _one_shot(name, words[1:]) or Program(output=startup_lines(around.image))
    script = _Script(around)
    if name in SHELLS:
        rest = words[1:]
        while rest and rest[0].startswith("-") and rest[0] != "-c" and not rest[0].endswith("c"):
            rest = rest[1:]
        if len(rest) < 2:
            return Program() if not rest else Program(STEP, 127, ((0, f"{words[0]}: can't open '{rest[0]}'"),))
        script.run(rest[1])
    else:
        script.command(words)
    forever = script.forever
    return Program(
        None if forever else max(script.at, STEP),
        script.code,
        tuple(script.output),
        tuple(script.files),
        ignores_term=True,
    )


def _one_shot(name: str, args: list[str]) -> Program | None:
    """A program that ends by itself by its nature, or None."""
    if name in CLIENTS:
        return Program(500 * MILLISECOND)
    letter = INTERPRETERS.get(name)
    for option, text in pairwise(args):
        if letter and re.fullmatch(rf"-[A-Za-z]*{letter}", option):
            lines = tuple((3 * SECOND, found[2]) for found in _PRINTED.finditer(text))
            return Program(3 * SECOND, output=lines)
    return None


def run_once(words: list[str], around: Surroundings, started: Program, at: int) -> tuple[list[str], int, str]:
    """An exec in a running container ``at`` ns after its start: (lines, exit code, why it cannot be executed)."""
    name = words[0].rsplit("/", 1)[-1]
    if name not in TOOLS:
        return (
            [],
            126,
            (
                "OCI runtime exec failed: exec failed: unable to start container process: "
                f'exec: "{words[0]}": executable file not found in $PATH: unknown'
            ),
        )
    there = tuple(p for p in dict.fromkeys(path for _, path, _ in started.files) if started.exists(p, at))
    script = _Script(Surroundings(around.hostname, around.env, around.image, (*around.files, *there)))
    if name in SHELLS and len(words) > 2 and words[1].endswith("c"):
        script.run(words[2])
    elif name not in SHELLS:
        script.command(words)
    return [line for _, line in script.output], script.code, ""


class _Script:
    """Runs the model of a shell: a clock, an exit code, lines printed, files touched."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.env = dict(around.env)
        self.at = 0
        self.code = 0
        self.ended = False
        self.forever = False
        self.output: list[tuple[int, str]] = []
        self.files: list[tuple[int, str, bool]] = []
        self.there = dict.fromkeys(around.files, True)

    def run(self, text: str) -> None:
        """A script: simple commands, and the first construct (a loop or an ``if``, not nested in its own kind) with what follows."""
        text = re.sub(r"\\\n", " ", text)
        found = min((m for m in (c.search(text) for c in _CONSTRUCTS) if m), key=lambda m: m.start(), default=None)
        if found is None:
            self._list(text)
            return
        self._list(text[: found.start()])
        if self.ended or self.forever:
            return
        parts = found.groupdict()
        if "always" in parts:
            self._endless(f"{parts['always']}; {parts['body']}")
        elif "words" in parts:
            for word in self._words(parts["words"]):
                self.env[parts["name"]] = word
                self.run(parts["body"])
        elif "then" in parts:
            self.run(parts["test"])
            branch = parts["then"] if not self.code else parts["otherwise"] or ""
            self.code = 0
            self.run(branch)
        else:  # a condition of the world outside: taken to hold (until) or to be over (while) at the first look
            self.at += STEP
        if not (self.ended or self.forever):
            self.run(text[found.end() :].lstrip(" ;"))

    def _words(self, text: str) -> list[str]:
        span = re.search(r"\$\(seq (?:(\d+) )?(\d+)\)|\{(\d+)\.\.(\d+)\}", text)
        if span is not None:
            low, high = int(span[1] or span[3] or 1), int(span[2] or span[4])
            return [str(n) for n in range(low, min(high, low + LOOP_LINES) + 1)]
        return self._variables(text).split()

    def _endless(self, body: str) -> None:
        while len(self.output) < LOOP_LINES and not self.ended:
            at, lines = self.at, len(self.output)
            self.run(body)
            if self.at == at:
                self.at += STEP
            if len(self.output) == lines or self.forever:
                break
        self.forever = not self.ended

    def _list(self, text: str) -> None:
        for word, joint in _commands(text):
            if self.ended or self.forever:
                return
            if (joint == "&&" and self.code) or (joint == "||" and not self.code):
                continue
            try:
                words = shlex.split(word, comments=True)
            except ValueError:
                self._print("sh: syntax error: unterminated quoted string")
                self.code, self.ended = 2, True
                return
            if words:
                self._redirected([self._variables(w) for w in words])

    def _variables(self, word: str) -> str:
        word = re.sub(r"\$\(\s*(date|hostname)[^)]*\)", lambda m: self._substitute(m[1]), word)
        return re.sub(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", lambda m: self.env.get(m[1], ""), word)

    def _substitute(self, name: str) -> str:
        return self.around.hostname if name == "hostname" else "(date)"

    def _redirected(self, words: list[str]) -> None:
        """Output sent to a file makes the file; only stdout to nowhere or a file is understood."""
        target, kept = "", []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            found = re.match(r"^(\d?)>>?(&?)(.*)$", word)
            if found is None:
                kept.append(word)
            elif not found[2] and found[1] != "2":
                target = found[3] or (rest.pop(0) if rest else "")
        if target and target not in ("/dev/stdout", "/dev/stderr", "/proc/1/fd/1"):
            printed = len(self.output)
            self.command(kept or ["true"])
            del self.output[printed:]
            if target != "/dev/null":
                self._file(target, True)
        elif kept:
            self.command(kept)

    def _print(self, line: str) -> None:
        self.output.append((self.at, line))

    def _file(self, path: str, exists: bool) -> None:
        self.files.append((self.at, path, exists))
        self.there[path] = exists

    def command(self, words: list[str]) -> None:
        """One simple command."""
        while words and re.match(r"^[A-Za-z_][A-Za-z0-9_]*=", words[0]):
            name, _, value = words[0].partition("=")
            self.env[name] = value
            words = words[1:]
        if not words:
            return
        name, args = words[0].rsplit("/", 1)[-1], words[1:]
        self.code = 0
        match name:
            case "sleep":
                self._sleep(args)
            case "exit":
                self.code, self.ended = (int(args[0]) & 0xFF if args and args[0].isdigit() else self.code), True
            case "echo":
                self._print(" ".join(args[1:] if args[:1] in (["-n"], ["-e"]) else args))
            case "printf":
                self._print((args[0] if args else "").replace("\\n", "").replace("%s", " ".join(args[1:])))
            case "false":
                self.code = 1
            case "cat" | "ls" | "test" | "[" | "stat":
                self._look(name, args)
            case "touch" | "mkdir":
                for path in args:
                    if not path.startswith("-"):
                        self._file(path, True)
            case "rm" | "rmdir":
                for path in args:
                    if not path.startswith("-"):
                        self._file(path, False)
            case "hostname":
                self._print(self.around.hostname)
            case "env" | "printenv":
                self._environment(args)
            case "pwd":
                self._print("/")
            case "whoami":
                self._print("root")
            case "id":
                self._print("uid=0(root) gid=0(root) groups=0(root)")
            case "uname":
                self._print("Linux")
            case "date":
                self._print("(date)")
            case "exec":
                self.command(args)
            case "tar":
                self._print(
                    "tar: no files are kept in a simulated container: kubectl cp has nothing to copy from or to"
                )
                self.code = 2
            case "wait":
                self.forever = True
            case "tail" if "-f" in args or "-F" in args:
                self.forever = True
            case "sh" | "bash" | "ash" | "dash":
                if len(args) > 1 and args[0].endswith("c"):
                    self.run(args[1])
            case "top" | "nc" | "httpd" | "ping" | "yes" | "watch" | "vi":
                self.forever = True
            case _ if name in TOOLS or name in ("set", "cd", ":", "export", "trap", "ulimit", "umask", "source", "."):
                for word in args if name == "export" else ():
                    key, _, value = word.partition("=")
                    self.env[key] = value
            case _ if short_name(self.around.image) not in SMALL_IMAGES and _one_shot(name, args) is not None:
                once = _one_shot(name, args)
                assert once is not None and once.ends is not None
                self.output.extend((self.at + at, line) for at, line in once.output)
                self.at += once.ends
            case _ if short_name(self.around.image) in SMALL_IMAGES:
                self._print(f"sh: {words[0]}: not found")
                self.code = 127
            case _:
                self.forever = True
        self.at += STEP

    def _sleep(self, args: list[str]) -> None:
        for text in args:
            found = re.match(r"^(\d+(?:\.\d+)?)([smhd]?)$", text)
            if text in ("infinity", "inf"):
                self.forever = True
            elif found is None:
                self._print(f"sleep: invalid number '{text}'")
                self.code = 1
            else:
                self.at += int(float(found[1]) * _UNITS[found[2]])
        if not args:
            self._print("sleep: missing operand")
            self.code = 1

    def _look(self, name: str, args: list[str]) -> None:
        paths = [a for a in args if not a.startswith("-") and a != "]"]
        if name == "ls":
            self._list_files(paths or ["/"])
            return
        for path in paths:
            known = self.there.get(path, path in ETC or path in DIRECTORIES or bool(self._entries(path)))
            if path == "/etc/hostname" and name == "cat":
                self._print(self.around.hostname)
            elif not known:
                self.code = 1
                if name == "cat":
                    self._print(f"cat: can't open '{path}': No such file or directory")

    def _list_files(self, paths: list[str]) -> None:
        """Files first, then each directory with what is in it."""
        directories = [path for path in paths if self._entries(path) or path.rstrip("/") in ("", *DIRECTORIES)]
        files = [path for path in paths if path not in directories]
        for path in files:
            if self.there.get(path, path in ETC):
                self._print(path)
            else:
                self.code = 1
                self._print(f"ls: {path}: No such file or directory")
        for at, path in enumerate(directories):
            if len(paths) > 1:
                if at or files:
                    self._print("")
                self._print(f"{path}:")
            for entry in self._entries(path):
                self._print(entry)

    def _entries(self, directory: str) -> list[str]:
        """What is in it: the directories that every image has, what was mounted and what was made."""
        inside = directory.rstrip("/") + "/"
        there = [path for path in (*DIRECTORIES, *ETC) if path.startswith(inside)]
        there += [path for path, is_there in self.there.items() if is_there and path.startswith(inside)]
        return sorted({path[len(inside) :].partition("/")[0] for path in there} - {""})

    def _environment(self, args: list[str]) -> None:
        if args:
            for name in args:
                if name in self.env:
                    self._print(self.env[name])
                else:
                    self.code = 1
            return
        for name, value in self.env.items():
            self._print(f"{name}={value}")


def _commands(text: str) -> list[tuple[str, str]]:
    """(command, what joins it to the one before: ";", "&&", "||") outside of quotes; a pipe belongs to its command."""
    found: list[tuple[str, str]] = []
    joint, start, at, quote = ";", 0, 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "\\":
            at += 1
        elif char == "#" and (at == 0 or text[at - 1] in " \t\n;"):
            end = text.find("\n", at)
            text = text[:at] + (text[end:] if end >= 0 else "")
            continue
        elif char in ";\n" or text[at : at + 2] in ("&&", "||"):
            found.append((text[start:at], joint))
            joint = ";" if char in ";\n" else text[at : at + 2]
            at += 0 if char in ";\n" else 1
            start = at + 1
        elif char == "|":
            end = re.compile(r"[;\n]|&&|\|\|").search(text, at + 1)
            found.append((text[start:at], joint))
            at = start = end.start() if end else len(text)
            joint = ";"
            continue
        at += 1
    found.append((text[start:], joint))
    return [(word.strip(), join) for word, join in found if word.strip()]


def startup_lines(image: str) -> tuple[tuple[int, str], ...]:
    """What well-known images print when they start."""
    lines = _STARTUP.get(short_name(image), ())
    return tuple((index * 5 * MILLISECOND, line) for index, line in enumerate(lines))


_STARTUP: dict[str, tuple[str, ...]] = {
    "nginx": (
        "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration",
        "/docker-entrypoint.sh: Looking for shell scripts in /docker-entrypoint.d/",
        "/docker-entrypoint.sh: Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh",
        "10-listen-on-ipv6-by-default.sh: info: Getting the checksum of /etc/nginx/conf.d/default.conf",
        "10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf",
        "/docker-entrypoint.sh: Sourcing /docker-entrypoint.d/15-local-resolvers.envsh",
        "/docker-entrypoint.sh: Launching /docker-entrypoint.d/20-envsubst-on-templates.sh",
        "/docker-entrypoint.sh: Launching /docker-entrypoint.d/30-tune-worker-processes.sh",
        "/docker-entrypoint.sh: Configuration complete; ready for start up",
    ),
    "httpd": (
        "AH00558: httpd: Could not reliably determine the server's fully qualified domain name, using 127.0.0.1. "
        "Set the 'ServerName' directive globally to suppress this message",
    ),
    "redis": (
        "1:C oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo",
        "1:M * Running mode=standalone, port=6379.",
        "1:M * Server initialized",
        "1:M * Ready to accept connections tcp",
    ),
    "coredns": (
        ".:53",
        "[INFO] plugin/reload: Running configuration",
        "CoreDNS-1.11.3",
        "linux/amd64, go1.21.11, a6338e9",
    ),
}
