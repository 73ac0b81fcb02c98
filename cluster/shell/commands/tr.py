"""``tr [-dsc] SET1 [SET2]``: replace, delete or squeeze characters. Sets: ``a-z``, ``\\n``, ``[:upper:]``."""

import re

from cluster.shell.escapes import unescape
from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.tool import complain

NAMES = ("tr",)
_CLASSES = {
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "lower": "abcdefghijklmnopqrstuvwxyz", "digit": "0123456789",
    "space": " \t\n\r\v\f", "blank": " \t",
}  # fmt: skip
_CLASSES["alpha"] = _CLASSES["upper"] + _CLASSES["lower"]
_CLASSES["alnum"] = _CLASSES["digit"] + _CLASSES["alpha"]


def members(text: str) -> str:
    """The characters of a set, in order."""
    text = re.sub(r"\[:(\w+):\]", lambda match: _CLASSES.get(match[1], match[0]), text)
    text = unescape(text)
    out, at = "", 0
    while at < len(text):
        if at + 2 < len(text) and text[at + 1] == "-" and text[at] <= text[at + 2]:
            out += "".join(chr(code) for code in range(ord(text[at]), ord(text[at + 2]) + 1))
            at += 3
        else:
            out += text[at]
            at += 1
    return out


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "dscC", {"delete": "d", "squeeze-repeats": "s", "complement": "c"})
    except OptionError as error:
        return complain(ctx, f"{error}\nTry 'tr --help' for more information.")
    if not operands:
        return complain(ctx, "missing operand\nTry 'tr --help' for more information.")
    if len(operands) == 1 and "d" not in flags and "s" not in flags:
        return complain(
            ctx,
            f"missing operand after '{operands[0]}'\nTwo strings must be given when translating.\n"
            "Try 'tr --help' for more information.",
        )
    first = members(operands[0])
    second = members(operands[1]) if len(operands) > 1 else ""
    inverse = "c" in flags or "C" in flags
    text = ctx.stdin

    def chosen(char: str) -> bool:
        return (char in first) != inverse

    if "d" in flags:
        text = "".join(char for char in text if not chosen(char))
    elif second:
        last = second[-1]
        if inverse:
            text = "".join(last if chosen(char) else char for char in text)
        else:
            padded = second + last * (len(first) - len(second))
            table = {ord(a): b for a, b in reversed(list(zip(first, padded, strict=False)))}
            text = text.translate(table)
    if "s" in flags:
        squeezed = second or first
        out = ""
        for char in text:
            if not (out and out[-1] == char and ((char in squeezed) if second else chosen(char))):
                out += char
        text = out
    ctx.out(text)
    return 0
