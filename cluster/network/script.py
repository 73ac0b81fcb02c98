"""A small shell for what people exec in a pod: one command, or ``sh -c`` with lists, loops and pipes around network programs.

In: the words of an exec → out: a generator of ``Effect``s that ends with the exit status. Understood: ``;`` ``&&`` ``||``, newlines, ``for x in …``,
``while`` and ``until``, ``if``, ``$VAR``, ``$(seq a b)``, ``$(( ))`` not; pipes into ``nc`` and ``head tail grep wc sort uniq cut tr cat``; ``2>&1``, ``>/dev/null``. A
command that needs no network is run by the kubelet's own model.

Simplified here: loops end after ``MAX_ROUNDS``; what isn't understood is a syntax error with its words, never guessed.
"""

import re
import shlex
from collections.abc import Generator
from typing import Any

from cluster.network import filters
from cluster.network.effects import Console, Effect, Pause, Run
from cluster.network.programs import PROGRAMS, nc
from cluster.sim import SECOND

SHELLS = ("sh", "bash", "ash", "dash")
MAX_ROUNDS = 200
FILES = ("/etc/resolv.conf", "/etc/hosts")
HAS: dict[str, tuple[str, ...]] = {
    "busybox": ("wget", "nslookup", "ping", "nc"),
    "alpine": ("wget", "nslookup", "ping", "nc"),
    "curl": ("curl", "wget", "nslookup", "ping", "nc"),
    "nginx": ("curl",),
    "httpd": (),
    "redis": (),
    "debian": (),
    "ubuntu": (),
    "pause": (),
    "coredns": (),
    "kube-proxy": (),
    "dnsutils": ("nslookup", "dig", "host", "ping", "nc", "wget"),
    "jessie-dnsutils": ("nslookup", "dig", "host", "ping", "nc", "wget"),
}
"""Image → the network programs it brings; an image that isn't here is taken to have all of them."""


def concerns(words: list[str]) -> bool:
    """Whether these words use the network (or its files), so that this shell should run them."""
    text = " ".join(words)
    first = words[0].rsplit("/", 1)[-1] if words else ""
    if first in PROGRAMS or any(name in text for name in FILES):
        return True
    return first in SHELLS and any(re.search(rf"(?<![\w./-]){name}(?![\w.-])", text) for name in PROGRAMS)


def brings(image: str, name: str) -> bool:
    """Whether the image has the program."""
    found = HAS.get(image)
    return found is None or name in found


class _Syntax(Exception):
    pass


def run(console: Console, words: list[str]) -> Run:
    """Run the exec; the exit status."""
    first = words[0].rsplit("/", 1)[-1]
    if first in SHELLS and len(words) > 2 and words[1].startswith("-") and words[1].endswith("c"):
        try:
            return (yield from _list(console, words[2]))
        except _Syntax as error:
            console.err(f"{first}: syntax error: {error}\n")
            return 2
    return (yield from _command(console, words))


def _split(text: str) -> list[tuple[str, str]]:
    """Top-level commands with what joins each to the one before; loops and quotes are kept whole."""
    parts: list[tuple[str, str]] = []
    joint, start, at, quote, depth = ";", 0, 0, "", 0
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "\\":
            at += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif (
            word := re.match(r"(?:do|then|done|fi)(?![\w-])", text[at:])
            if at == 0 or text[at - 1] in " \t\n;"
            else None
        ):
            depth += 1 if word[0] in ("do", "then") else -1
            at += len(word[0]) - 1
        elif depth <= 0 and not _opened(text[start:at]) and (text[at : at + 2] in ("&&", "||") or char in ";\n"):
            parts.append((text[start:at].strip(), joint))
            two = text[at : at + 2] in ("&&", "||")
            joint = text[at : at + 2] if two else ";"
            at += 1 if two else 0
            start = at + 1
        at += 1
    if quote:
        raise _Syntax("unterminated quoted string")
    parts.append((text[start:].strip(), joint))
    return [part for part in parts if part[0]]


def _opened(text: str) -> bool:
    """A loop or condition was begun and its ``do`` or ``then`` hasn't come."""
    return bool(re.match(r"\s*(?:for|while|until|if)\b", text)) and not re.search(r"(?:^|[\s;])(?:done|fi)\s*$", text)


def _list(console: Console, text: str) -> Run:
    code = 0
    for part, joint in _split(text):
        if (joint == "&&" and code) or (joint == "||" and not code):
            continue
        code = yield from _one(console, part)
        if code == -1:
            return int(console.env.get("?", "0"))
        console.env["?"] = str(code)
    return code


def _one(console: Console, text: str) -> Run:
    loop = re.fullmatch(r"for\s+(\w+)\s+in\s+(.*?)\s*[;\n]\s*do\b(.*)\bdone(.*)", text, re.S)
    if loop:
        return (yield from _piped(console, loop[4], _for(console, loop[1], loop[2], loop[3])))
    loop = re.fullmatch(r"(while|until)\s+(.*?)\s*[;\n]\s*do\b(.*)\bdone(.*)", text, re.S)
    if loop:
        return (yield from _piped(console, loop[4], _while(console, loop[1] == "until", loop[2], loop[3])))
    test = re.fullmatch(r"if\s+(.*?)\s*[;\n]\s*then\b(.*?)(?:\belse\b(.*))?\bfi\s*", text, re.S)
    if test:
        code = yield from _list(console, test[1])
        return (yield from _list(console, (test[3] or "") if code else test[2]))
    return (yield from _pipeline(console, text))


def _piped(console: Console, rest: str, body: Run) -> Run:
    """A loop whose output goes on through a pipe."""
    rest = rest.strip()
    if not rest:
        return (yield from body)
    if not rest.startswith("|"):
        raise _Syntax(f"unexpected {rest!r}")
    begin, outer = len(console.pieces), console.held
    console.held = begin if outer < 0 else outer
    yield from body
    console.held = outer
    return _filters(console, begin, _pipes(rest[1:]))


def _for(console: Console, name: str, words: str, body: str) -> Run:
    code = 0
    for number, value in enumerate(_words(console, words)):
        if number == MAX_ROUNDS:
            break
        console.env[name] = value
        code = yield from _list(console, body)
    return code


def _while(console: Console, until: bool, condition: str, body: str) -> Run:
    code = 0
    for _ in range(MAX_ROUNDS):
        holds = (yield from _list(console, condition)) == 0
        if holds == until:
            break
        code = yield from _list(console, body)
    return code


def _words(console: Console, text: str) -> list[str]:
    text = re.sub(r"\$\(\s*seq\s+(?:(\d+)\s+)?(\d+)\s*\)|`seq\s+(?:(\d+)\s+)?(\d+)`", _sequence, text)
    text = re.sub(
        r"\{(\d+)\.\.(\d+)\}",
        lambda m: " ".join(map(str, range(int(m[1]), min(int(m[2]), int(m[1]) + MAX_ROUNDS) + 1))),
        text,
    )
    return shlex.split(_variables(console, text))


def _sequence(match: re.Match[str]) -> str:
    low, high = int(match[1] or match[3] or 1), int(match[2] or match[4])
    return " ".join(map(str, range(low, min(high, low + MAX_ROUNDS) + 1)))


def _variables(console: Console, text: str) -> str:
    """``$NAME`` and ``${NAME}`` outside of single quotes."""
    parts = re.split(r"('[^']*')", text)
    pattern = re.compile(r"\$\{?(\?|[A-Za-z_]\w*)\}?")
    return "".join(p if p.startswith("'") else pattern.sub(lambda m: console.env.get(m[1], ""), p) for p in parts)


def _pipes(text: str) -> list[str]:
    parts, start, quote = [], 0, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "|":
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def _pipeline(console: Console, text: str) -> Run:
    parts = _pipes(text)
    begin, outer = len(console.pieces), console.held
    words = _redirected(shlex.split(_variables(console, parts[0])))
    if len(parts) > 1 or words[1]:
        console.held = begin if outer < 0 else outer
    code = yield from _command(console, words[0])
    console.held = outer
    if words[1]:
        console.pieces[begin:] = [
            (words[1].get(number, number), said) for number, said in console.pieces[begin:] if words[1].get(number) != 0
        ]
    rest = parts[1:]
    if rest and PROGRAMS.get(rest[0].split(maxsplit=1)[0] if rest[0] else "") is nc:
        code = yield from _into_nc(console, begin, rest.pop(0), bool(rest))
    return _filters(console, begin, rest) if rest else code


def _into_nc(console: Console, begin: int, text: str, goes_on: bool) -> Run:
    """What was printed is sent."""
    said = console.pieces[begin:]
    console.pieces[begin:] = [piece for piece in said if piece[0] == 2]
    console.stdin = "".join(piece for number, piece in said if number == 1)
    outer = console.held
    if goes_on:
        console.held = begin if outer < 0 else outer
    code = yield from _command(console, _redirected(shlex.split(_variables(console, text)))[0])
    console.stdin, console.held = "", outer
    return code


def _redirected(words: list[str]) -> tuple[list[str], dict[int, int]]:
    """(the command, where its descriptors lead: 0 is nowhere)."""
    kept: list[str] = []
    leads: dict[int, int] = {}
    at = 0
    while at < len(words):
        found = re.fullmatch(r"(\d?|&)>>?(&\d|/dev/null)?", words[at])
        if found is None:
            kept.append(words[at])
        else:
            target = found[2]
            if not target:
                at += 1
                target = words[at] if at < len(words) else ""
            if target not in ("/dev/null", "&1", "&2"):
                raise _Syntax(f"redirection to {target!r} is not simulated in a pod")
            to = 0 if target == "/dev/null" else int(target[1])
            for number in (1, 2) if found[1] == "&" else (int(found[1] or 1),):
                leads[number] = leads.get(to, to) if to else 0
        at += 1
    return kept, leads


def _command(console: Console, words: list[str]) -> Generator[Effect, Any, int]:
    while words and re.match(r"^[A-Za-z_]\w*=", words[0]):
        name, _, value = words[0].partition("=")
        console.env[name] = value
        words = words[1:]
    if not words:
        return 0
    name = words[0].rsplit("/", 1)[-1]
    if name == "time":
        return (yield from _command(console, words[1:]))
    if name == "timeout" and len(words) > 2:
        return (yield from _command(console, words[2:]))
    if name in SHELLS and len(words) > 2:
        return (yield from run(console, words))
    if name in PROGRAMS:
        if not brings(console.image, name):
            console.err(f"sh: {words[0]}: not found\n")
            return 127
        return (yield from PROGRAMS[name].run(console, [name, *words[1:]]))
    if name == "sleep":
        seconds = words[1].rstrip("s") if len(words) > 1 else "0"
        if seconds.replace(".", "", 1).isdigit():
            console.now, _ = yield Pause(int(float(seconds) * SECOND))
            return 0
    if name == "exit":
        console.env["?"] = words[1] if len(words) > 1 else "0"
        return -1
    if name in ("true", ":"):
        return 0
    if name == "false":
        return 1
    if name == "seq" and words[-1].isdigit():
        low = int(words[1]) if len(words) > 2 else 1
        console.out("".join(f"{n}\n" for n in range(low, min(int(words[-1]), low + MAX_ROUNDS) + 1)))
        return 0
    if name == "echo":
        end = "" if words[1:2] == ["-n"] else "\n"
        console.out(" ".join(words[2:] if not end or words[1:2] == ["-e"] else words[1:]) + end)
        return 0
    if name == "cat" and len(words) > 1 and all(word in FILES for word in words[1:]):
        resolver = console.resolver
        console.out("".join(resolver.text() if word == FILES[0] else resolver.hosts_text() for word in words[1:]))
        return 0
    assert console.local is not None
    lines, code = console.local(words)
    for line in lines:
        (console.err if line.startswith(("sh: ", "cat: ", "ls: ", "sleep: ")) else console.out)(line + "\n")
    return code


def _filters(console: Console, begin: int, parts: list[str]) -> int:
    """Take what was printed since ``begin`` through filters."""
    said = console.pieces[begin:]
    del console.pieces[begin:]
    lines = "".join(text for number, text in said if number == 1).splitlines()
    code = 0
    for part in parts:
        words, _ = _redirected(shlex.split(_variables(console, part)))
        if not words or not filters.known(words[0]):
            raise _Syntax(f"a pipe into {words[0] if words else ''!r} is not simulated in a pod")
        lines, code = filters.run(words[0], words[1:], lines)
    console.pieces += [piece for piece in said if piece[0] == 2]
    console.out("".join(line + "\n" for line in lines))
    return code
