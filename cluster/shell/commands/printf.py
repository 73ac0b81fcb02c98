"""``printf FORMAT [argument…]``: %s %d %i %x %o %f %b %q %% with widths; the format repeats while arguments remain."""

import re

from cluster.shell.escapes import unescape
from cluster.shell.interpreter import Context

NAMES = ("printf",)

_SPEC = re.compile(r"%([-+ 0#]*)(\d*)(?:\.(\d+))?([sdixofbqc%])")
MAX_ROUNDS = 10_000
MAX_WIDTH = 1_000


def run(ctx: Context) -> int:
    if not ctx.args:
        ctx.err("printf: usage: printf [-v var] format [arguments]\n")
        return 2
    form, *arguments = ctx.args
    form = unescape(form)
    status, at = 0, 0
    for _ in range(MAX_ROUNDS):
        used = False

        def one(match: re.Match[str]) -> str:
            nonlocal at, used, status
            flags, width, precision, kind = match.groups()
            if kind == "%":
                return "%"
            argument = arguments[at] if at < len(arguments) else ""
            at += 1
            used = True
            size = f"{min(int(width), MAX_WIDTH)}" if width else ""
            if kind in "sbqc":
                text = unescape(argument) if kind == "b" else argument[:1] if kind == "c" else argument
                text = "'" + text.replace("'", "'\\''") + "'" if kind == "q" and not text.isalnum() else text
                text = text[: int(precision)] if precision else text
                return ("%" + ("-" if "-" in flags else "") + size + "s") % text
            try:
                if kind == "f":
                    return ("%" + flags + size + (f".{precision}" if precision else "") + "f") % float(argument or 0)
                return ("%" + flags + size + ("d" if kind in "di" else kind)) % int(argument or "0", 0)
            except ValueError:
                ctx.err(f"bash: printf: {argument}: invalid number\n")
                status = 1
                return "0"

        ctx.out(_SPEC.sub(one, form))
        if at >= len(arguments) or not used:
            break
    return status
