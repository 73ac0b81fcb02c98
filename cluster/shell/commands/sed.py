"""``sed [-nEr] SCRIPT [file…]``: ``s/pattern/replacement/[gip]``, ``d``, ``p``, ``q`` with addresses: N, ``$``, ``/pattern/``, ranges.

Simplified here: no labels, hold space, ``-i`` or multi-line commands; other commands are refused by name.
"""

import re
from collections.abc import Callable

from cluster.shell.interpreter import Context
from cluster.shell.matcher import Budget, Matcher, TooMuch
from cluster.shell.options import OptionError, getopt
from cluster.shell.regex import basic, extended
from cluster.shell.tool import complain, joined, lines

NAMES = ("sed",)

_ADDRESS = r"(?:\d+|\$|/(?:\\.|[^/\\])*/)"
_HEAD = re.compile(rf"\s*({_ADDRESS})?(?:,({_ADDRESS}))?\s*(!?)\s*([sdpq])")


class _Rule:
    def __init__(self, start: str, end: str, negated: bool, verb: str) -> None:
        self.start = start
        self.end = end
        self.negated = negated
        self.verb = verb
        self.pattern: Matcher | None = None
        self.addresses: dict[str, Matcher] = {}
        self.replacement = ""
        self.flags = ""
        self.active = False


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "nEre:", {"quiet": "n", "regexp-extended": "E", "expression=": "e"})
    except OptionError as error:
        return complain(ctx, f"{error}")
    script = flags.get("e") or (operands.pop(0) if operands else "")
    if not script:
        ctx.err("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n")
        return 1
    try:
        rules = _rules(script, extended if "E" in flags or "r" in flags else basic)
    except (ValueError, re.error) as error:
        return complain(ctx, f"-e expression #1, char {len(script)}: {error}")
    text, status = joined(ctx, operands)
    every = lines(text)
    for number, line in enumerate(every, 1):
        try:
            shown, printed, stop = _line(rules, number, line, len(every))
        except TooMuch:
            return complain(ctx, "this pattern takes too long on this text for this console")
        ctx.out("".join(each + "\n" for each in printed))
        if shown is not None and "n" not in flags:
            ctx.out(shown + "\n")
        if stop:
            break
    return status


def _rules(script: str, convert: Callable[[str], str]) -> list[_Rule]:
    found: list[_Rule] = []
    budget = Budget()
    rest = script
    while rest.strip(" ;\n"):
        rest = rest.lstrip(" ;\n")
        head = _HEAD.match(rest)
        if head is None:
            raise ValueError(f"unknown command: `{rest[:1]}'")
        rule = _Rule(head[1] or "", head[2] or "", bool(head[3]), head[4])
        for address in (rule.start, rule.end):
            if address.startswith("/"):
                rule.addresses[address] = Matcher(convert(address[1:-1].replace("\\/", "/")), budget=budget)
        rest = rest[head.end() :]
        if rule.verb == "s":
            separator = rest[:1]
            parts = re.split(rf"(?<!\\){re.escape(separator)}", rest[1:], maxsplit=2) if separator else []
            if len(parts) < 3:
                raise ValueError("unterminated `s' command")
            tail = re.match(r"[gipI]*", parts[2])
            rule.flags = tail[0] if tail else ""
            rest = parts[2][len(rule.flags) :]
            pattern = convert(parts[0].replace("\\" + separator, separator))
            rule.pattern = Matcher(pattern, ignore_case="i" in rule.flags.lower(), budget=budget)
            rule.replacement = parts[1].replace("\\" + separator, separator)
        if rest[:1] not in ("", ";", "\n", " "):
            raise ValueError("extra characters after command")
        found.append(rule)
    return found


def _matches(rule: _Rule, address: str, number: int, line: str, last: int) -> bool:
    if address == "$":
        return number == last
    if address.isdigit():
        return number == int(address)
    return rule.addresses[address].search(line)


def _selected(rule: _Rule, number: int, line: str, last: int) -> bool:
    if not rule.start:
        return not rule.negated
    if not rule.end:
        return _matches(rule, rule.start, number, line, last) != rule.negated
    if rule.active:
        done = number >= int(rule.end) if rule.end.isdigit() else _matches(rule, rule.end, number, line, last)
        rule.active = not done
        return not rule.negated
    if _matches(rule, rule.start, number, line, last):
        rule.active = not (rule.end.isdigit() and int(rule.end) <= number)
        return not rule.negated
    return rule.negated


def _line(rules: list[_Rule], number: int, line: str, last: int) -> tuple[str | None, list[str], bool]:
    printed: list[str] = []
    for rule in rules:
        if not _selected(rule, number, line, last):
            continue
        match rule.verb:
            case "d":
                return None, printed, False
            case "p":
                printed.append(line)
            case "q":
                return line, printed, True
            case _:
                assert rule.pattern is not None
                template = rule.replacement
                line, count = rule.pattern.substitute(
                    line, lambda groups, t=template: _fill(t, groups), every="g" in rule.flags
                )
                if count and "p" in rule.flags:
                    printed.append(line)
    return line, printed, False


def _fill(template: str, groups: list[str]) -> str:
    def one(found: re.Match[str]) -> str:
        text = found[0]
        if text == "&":
            return groups[0]
        if text[1].isdigit():
            return groups[int(text[1])] if int(text[1]) < len(groups) else ""
        return {"n": "\n", "t": "\t"}.get(text[1], text[1])

    return re.sub(r"\\.|&", one, template)
