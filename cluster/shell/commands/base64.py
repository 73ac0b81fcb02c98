"""``base64 [-d] [-w N] [file]``: encode, or decode with ``-d``."""

from base64 import b64decode, b64encode
from binascii import Error

from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.tool import complain, inputs

NAMES = ("base64",)


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "diDw:", {"decode": "d", "ignore-garbage": "i", "wrap=": "w"})
    except OptionError as error:
        return complain(ctx, f"{error}\nTry 'base64 --help' for more information.")
    if len(operands) > 1:
        return complain(ctx, f"extra operand '{operands[1]}'\nTry 'base64 --help' for more information.")
    found, status = inputs(ctx, operands)
    if not found:
        return status
    text = found[0][1]
    if "d" in flags or "D" in flags:
        return _decode(ctx, text, garbage="i" in flags)
    width = flags.get("w", "76")
    if not width.isdigit():
        return complain(ctx, f"invalid wrap size: '{width}'")
    encoded = b64encode(text.encode("utf-8", "surrogateescape")).decode()
    if int(width):
        step = int(width)
        ctx.out("".join(encoded[at : at + step] + "\n" for at in range(0, len(encoded), step)))
    else:
        ctx.out(encoded)
    return 0


def _decode(ctx: Context, text: str, *, garbage: bool) -> int:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    clean = "".join(text.split("\n"))
    valid = len(clean)
    if garbage:
        clean = "".join(char for char in clean if char in alphabet)
        valid = len(clean)
    else:
        valid = next((place for place, char in enumerate(clean) if char not in alphabet), len(clean))
    whole = clean[:valid]
    broken = valid != len(clean) or len(whole.rstrip("=")) % 4 == 1 or len(whole) % 4 != 0
    body = whole.rstrip("=")
    body = body[: len(body) - 1] if len(body) % 4 == 1 else body
    try:
        data = b64decode(body + "=" * (-len(body) % 4))
    except Error:
        data, broken = b"", True
    ctx.out(data.decode("utf-8", "surrogateescape"))
    return complain(ctx, "invalid input") if broken else 0
