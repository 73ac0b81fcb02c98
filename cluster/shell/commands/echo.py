"""``echo [-neE] [word…]``: print words. ``-e`` reads backslash escapes."""

from cluster.shell.escapes import unescape
from cluster.shell.interpreter import Context

NAMES = ("echo",)


def run(ctx: Context) -> int:
    words, newline, escapes = list(ctx.args), True, False
    while words and len(words[0]) > 1 and words[0][0] == "-" and all(letter in "neE" for letter in words[0][1:]):
        for letter in words.pop(0)[1:]:
            newline = newline and letter != "n"
            escapes = letter == "e" or (escapes and letter != "E")
    text = " ".join(words)
    ctx.out((unescape(text) if escapes else text) + ("\n" if newline else ""))
    return 0
