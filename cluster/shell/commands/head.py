"""``head [-n N | -c N] [file…]``: the first 10 lines, or N; ``-n -N`` all but the last N."""

from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.tool import complain, inputs

NAMES = ("head",)


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "n:c:q", {"lines=": "n", "bytes=": "c", "quiet": "q"}, numbers=True)
        count = int(flags.get("c", flags.get("n", "10")))
    except OptionError as error:
        return complain(ctx, f"{error}\nTry 'head --help' for more information.")
    except ValueError:
        return complain(ctx, f"invalid number of lines: '{flags.get('n', '')}'")
    found, status = inputs(ctx, operands)
    for place, (name, text) in enumerate(found):
        if len(found) > 1 and "q" not in flags:
            ctx.out(("\n" if place else "") + f"==> {name} <==\n")
        if "c" in flags:
            data = text.encode("utf-8", "surrogateescape")
            ctx.out(data[:count].decode("utf-8", "surrogateescape"))
        else:
            ctx.out("".join(text.splitlines(keepends=True)[:count]))
    return status
