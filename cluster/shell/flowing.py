"""Pipes that flow: ``kubectl get pods -w | grep web`` shows a line when it comes, not when the watch ends.

In → the commands of a pipeline behind its first; out → can they be given a growing text again and again, so that what they say
about the longer text begins with what they said about the shorter one? ``grep``, ``sed``, ``cut``, ``tr``, ``cat``, ``uniq`` and
``head`` can; ``wc``, ``sort`` and ``grep -c`` need the end.

Simplified here: a real pipe runs both sides at once and buffers 4 KiB when a program doesn't write to a terminal
(``grep --line-buffered``); here every complete line flows at once. A left side that has nobody left to read it (``| head -1``) is
ended at once instead of at its next write.
"""

import re

from cluster.shell.language import Command

_NEEDS_END = {
    "grep": re.compile(r"-[A-Za-z]*[cqlL]|--(count|quiet|silent|files)"),
    "egrep": re.compile(r"-[A-Za-z]*[cqlL]|--(count|quiet|silent|files)"),
    "fgrep": re.compile(r"-[A-Za-z]*[cqlL]|--(count|quiet|silent|files)"),
    "sed": re.compile(r".*(^|[;{, ])\$|-i"),
    "uniq": re.compile(r"-[A-Za-z]*[cdu]|--"),
    "head": re.compile(r"-n?-|-[A-Za-z]*c|--"),
    "cut": None,
    "tr": None,
    "cat": None,
}
"""Tool → the arguments with which it must see the end first (None: never)."""


def flows(commands: tuple[Command, ...]) -> bool:
    """Whether all of ``commands`` pass lines on as they come."""
    return all(_flows(command) for command in commands)


def _flows(command: Command) -> bool:
    words = _plain(command)
    if not words or words[0] not in _NEEDS_END:
        return False
    ending = _NEEDS_END[words[0]]
    return ending is None or not any(ending.match(word) for word in words[1:])


def _plain(command: Command) -> list[str]:
    """The words, when they are said literally and nothing is redirected; [] otherwise."""
    if command.redirects or command.assignments:
        return []
    if any(part.kind != "text" for word in command.words for part in word):
        return []
    return ["".join(part.text for part in word) for word in command.words]


def enough(command: Command) -> int:
    """After how many lines of output ``command`` reads no more; 0: it always does."""
    words = _plain(command)
    if words[:1] != ["head"]:
        return 0
    rest = " ".join(words[1:])
    found = re.fullmatch(r"-n ?(\d+)|-(\d+)|", rest)
    return int(found[1] or found[2] or 10) if found else 0
