"""``wc [-lwcm] [file…]``: lines, words, bytes."""

from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.tool import complain, inputs

NAMES = ("wc",)


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "lwcm", {"lines": "l", "words": "w", "bytes": "c", "chars": "m"})
    except OptionError as error:
        return complain(ctx, f"{error}\nTry 'wc --help' for more information.")
    wanted = [key for key in "lwmc" if key in flags] or ["l", "w", "c"]
    found, status = inputs(ctx, operands)
    rows = [(_counts(text, wanted), name) for name, text in found]
    if len(rows) > 1:
        rows.append(([sum(column) for column in zip(*(row[0] for row in rows), strict=True)], "total"))
    width = 1 if len(wanted) == 1 and len(rows) == 1 else 7 if not operands else max(
        (len(str(number)) for row in rows for number in row[0]), default=1
    )  # fmt: skip
    for counts, name in rows:
        shown = " ".join(f"{number:{width}}" for number in counts)
        ctx.out(shown + ("" if name == "-" and not operands else f" {name}") + "\n")
    return status


def _counts(text: str, wanted: list[str]) -> list[int]:
    every = {
        "l": text.count("\n"),
        "w": len(text.split()),
        "m": len(text),
        "c": len(text.encode("utf-8", "surrogateescape")),
    }
    return [every[key] for key in wanted]
