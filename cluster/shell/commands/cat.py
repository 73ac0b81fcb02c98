"""``cat [-n] [file…]``: files one after another."""

from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.tool import complain, joined, lines

NAMES = ("cat",)


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "nuetAb", {"number": "n"})
    except OptionError as error:
        return complain(ctx, str(error))
    text, status = joined(ctx, operands)
    if "n" in flags:
        text = "".join(f"{number:6}\t{line}\n" for number, line in enumerate(lines(text), 1))
    ctx.out(text)
    return status
