"""``tail [-n N | -n +N | -c N] [file…]``: the last 10 lines, or N; ``+N`` from line N on. ``-f`` is refused: files here don't grow."""

from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.tool import complain, inputs

NAMES = ("tail",)


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "n:c:fqF", {"lines=": "n", "bytes=": "c", "follow": "f"}, numbers=True)
    except OptionError as error:
        return complain(ctx, f"{error}\nTry 'tail --help' for more information.")
    if "f" in flags or "F" in flags:
        return complain(ctx, "-f is not supported in this console: its files don't grow by themselves")
    wanted = flags.get("c", flags.get("n", "10"))
    if not wanted.lstrip("+-").isdigit():
        return complain(ctx, f"invalid number of lines: '{wanted}'")
    count = int(wanted.lstrip("+-"))
    found, status = inputs(ctx, operands)
    for place, (name, text) in enumerate(found):
        if len(found) > 1:
            ctx.out(("\n" if place else "") + f"==> {name} <==\n")
        pieces = list(text) if "c" in flags else text.splitlines(keepends=True)
        if wanted.startswith("+"):
            ctx.out("".join(pieces[max(count - 1, 0) :]))
        else:
            ctx.out("".join(pieces[-count:] if count else []))
    return status
