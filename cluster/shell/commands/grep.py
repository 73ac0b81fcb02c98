"""``grep [-EFivcnowxqlhHs] [-A N] [-B N] [-C N] [-m N] [-e PATTERN] PATTERN [file…]``: lines that match.

Status 0: some line matched, 1: none did, 2: trouble. Basic patterns are POSIX's (``\\|`` ``\\+`` ``\\(`` are special, bare ones
aren't); ``-E`` turns that round. A pattern that takes too long is refused (``matcher``).
"""

import re

from cluster.shell.interpreter import Context
from cluster.shell.matcher import Matcher, TooMuch
from cluster.shell.options import OptionError, getopt
from cluster.shell.regex import basic, extended
from cluster.shell.tool import complain, inputs, lines

NAMES = ("grep", "egrep", "fgrep")
_LONG = {
    "ignore-case": "i", "invert-match": "v", "count": "c", "extended-regexp": "E", "fixed-strings": "F",
    "line-number": "n", "only-matching": "o", "word-regexp": "w", "line-regexp": "x", "quiet": "q", "silent": "q",
    "regexp=": "e", "after-context=": "A", "before-context=": "B", "context=": "C", "max-count=": "m",
    "files-with-matches": "l", "no-filename": "h", "with-filename": "H", "color": "z", "color=": "z", "no-messages": "s",
}  # fmt: skip


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "EFGPivcnowxqlhHsze:A:B:C:m:", _LONG)
        around = {key: int(flags.get(key, flags.get("C", "0"))) for key in "AB"}
        limit = int(flags.get("m", "-1"))
    except OptionError as error:
        return complain(ctx, f"{error}\nUsage: grep [OPTION]... PATTERNS [FILE]...", 2)
    except ValueError:
        return complain(ctx, "invalid context length argument", 2)
    if "e" not in flags:
        if not operands:
            ctx.err("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n")
            return 2
        flags["e"] = operands.pop(0)
    try:
        pattern = _compile(ctx, flags)
    except re.error as error:
        return complain(ctx, f"{error}", 2)
    found, status = inputs(ctx, operands)
    named = ("H" in flags or len(operands) > 1) and "h" not in flags
    any_match = False
    for name, text in found:
        prefix = f"{'(standard input)' if name == '-' else name}:" if named else ""
        try:
            any_match |= _file(ctx, pattern, flags, prefix, name, text, around, limit)
        except TooMuch:
            return complain(ctx, "this pattern takes too long on this text for this console", 2)
        if any_match and "q" in flags:
            return 0
    return 2 if status else 0 if any_match else 1


def _compile(ctx: Context, flags: dict[str, str]) -> Matcher:
    alternatives = []
    for each in flags["e"].split("\n"):
        if "F" in flags or ctx.name == "fgrep":
            alternatives.append(re.escape(each))
        elif "E" in flags or "P" in flags or ctx.name == "egrep":
            alternatives.append(extended(each))
        else:
            alternatives.append(basic(each))
    text = "|".join(f"(?:{each})" for each in alternatives)
    if "w" in flags:
        text = rf"(?<!\w)(?:{text})(?!\w)"
    if "x" in flags:
        text = rf"^(?:{text})$"
    return Matcher(text, ignore_case="i" in flags)


def _file(
    ctx: Context,
    pattern: Matcher,
    flags: dict[str, str],
    prefix: str,
    name: str,
    text: str,
    around: dict[str, int],
    limit: int,
) -> bool:
    every = lines(text)
    hits = [place for place, line in enumerate(every) if pattern.search(line) != ("v" in flags)]
    hits = hits[:limit] if limit >= 0 else hits
    if "q" in flags:
        return bool(hits)
    if "l" in flags:
        ctx.out(f"{name}\n" if hits else "")
        return bool(hits)
    if "c" in flags:
        ctx.out(f"{prefix}{len(hits)}\n")
        return bool(hits)
    if "o" in flags and "v" not in flags:
        for place in hits:
            number = f"{place + 1}:" if "n" in flags else ""
            for spans in pattern.spans(every[place]):
                begin, end = spans[0]
                ctx.out(f"{prefix}{number}{every[place][begin:end]}\n" if end > begin else "")
        return bool(hits)
    shown = -1
    for place in hits:
        start = max(place - around["B"], shown + 1)
        if (around["A"] or around["B"]) and shown >= 0 and start > shown + 1:
            ctx.out("--\n")
        for at in range(start, min(place + around["A"] + 1, len(every))):
            hit = pattern.search(every[at]) != ("v" in flags)
            mark = ":" if hit else "-"
            number = f"{at + 1}{mark}" if "n" in flags else ""
            ctx.out(f"{prefix}{number}{every[at]}\n" if at > shown else "")
        shown = max(shown, min(place + around["A"], len(every) - 1))
    return bool(hits)
