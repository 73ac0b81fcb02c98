"""``uniq [-cdu] [file]``: neighbouring lines that are equal become one."""

from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.tool import complain, joined, lines

NAMES = ("uniq",)


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "cdui", {"count": "c", "repeated": "d", "unique": "u"})
    except OptionError as error:
        return complain(ctx, f"{error}\nTry 'uniq --help' for more information.")
    text, status = joined(ctx, operands[:1])
    groups: list[tuple[str, int]] = []
    for line in lines(text):
        if groups and groups[-1][0] == line:
            groups[-1] = (line, groups[-1][1] + 1)
        else:
            groups.append((line, 1))
    for line, count in groups:
        if ("d" in flags and count == 1) or ("u" in flags and count > 1):
            continue
        ctx.out(f"{count:7} {line}\n" if "c" in flags else f"{line}\n")
    return status
