"""``cut -d C -f LIST`` or ``cut -c LIST``: columns of every line. LIST: ``1``, ``1,3``, ``2-4``, ``3-``, ``-2``."""

from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.tool import complain, joined, lines

NAMES = ("cut",)


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "d:f:c:b:s", {"delimiter=": "d", "fields=": "f", "characters=": "c"})
    except OptionError as error:
        return complain(ctx, f"{error}\nTry 'cut --help' for more information.")
    wanted = flags.get("f") or flags.get("c") or flags.get("b")
    if not wanted:
        return complain(ctx, "you must specify a list of bytes, characters, or fields")
    ranges: list[tuple[int, int]] = []
    for each in wanted.split(","):
        first, dash, last = each.partition("-")
        if not (first.isdigit() or (dash and not first)) or not (last.isdigit() or not last):
            return complain(ctx, f"invalid field value '{each}'")
        low = int(first) if first else 1
        ranges.append((low, int(last) if last else 1 << 30 if dash else low))
    delimiter = flags.get("d", "\t")
    if len(delimiter) != 1:
        return complain(ctx, "the delimiter must be a single character")
    text, status = joined(ctx, operands)
    for line in lines(text):
        pieces = list(line) if "f" not in flags else line.split(delimiter)
        if "f" in flags and delimiter not in line:
            ctx.out("" if "s" in flags else line + "\n")
            continue
        kept = [piece for at, piece in enumerate(pieces, 1) if any(low <= at <= high for low, high in ranges)]
        ctx.out((delimiter if "f" in flags else "").join(kept) + "\n")
    return status
