"""``seq [first [step]] last``: integers, one a line."""

from cluster.shell.interpreter import Context
from cluster.shell.tool import complain

NAMES = ("seq",)
MAX_COUNT = 100_000


def run(ctx: Context) -> int:
    try:
        numbers = [int(word) for word in ctx.args]
    except ValueError:
        bad = next(word for word in ctx.args if not word.lstrip("-").isdigit())
        return complain(ctx, f"invalid floating point argument: '{bad}'\nTry 'seq --help' for more information.")
    if not 1 <= len(numbers) <= 3:
        return complain(ctx, "missing operand\nTry 'seq --help' for more information.")
    first, step, last = {1: (1, 1), 2: (numbers[0], 1), 3: (numbers[0], numbers[1] if len(numbers) > 1 else 1)}[
        len(numbers)
    ] + (numbers[-1],)
    if step == 0:
        return complain(ctx, "invalid Zero increment value: '0'")
    found = range(first, last + (1 if step > 0 else -1), step)
    if len(found) > MAX_COUNT:
        return complain(ctx, f"more than {MAX_COUNT} numbers are too many for this console")
    ctx.out("".join(f"{number}\n" for number in found))
    return 0
