"""What the text tools share: reading operands as files, complaining in coreutils' form."""

from cluster.shell.interpreter import Context
from cluster.shell.session import FileError


def complain(ctx: Context, text: str, status: int = 1) -> int:
    """``tool: text`` on standard error."""
    ctx.err(f"{ctx.name}: {text}\n")
    return status


def inputs(ctx: Context, operands: list[str]) -> tuple[list[tuple[str, str]], int]:
    """``([(name, content)], status)`` of the operands; standard input for none or ``-``. Missing files are complained of."""
    found: list[tuple[str, str]] = []
    status = 0
    for name in operands or ["-"]:
        if name == "-":
            found.append(("-", ctx.stdin))
            continue
        try:
            found.append((name, ctx.files.read(name)))
        except FileError as error:
            status = complain(ctx, f"{name}: {error}")
    return found, status


def joined(ctx: Context, operands: list[str]) -> tuple[str, int]:
    """The inputs one after another."""
    found, status = inputs(ctx, operands)
    return "".join(text for _, text in found), status


def lines(text: str) -> list[str]:
    """Lines without their ends; a last line without an end counts."""
    found = text.split("\n")
    if found and not found[-1]:
        found.pop()
    return found


def ended(found: list[str]) -> str:
    """Lines back to text."""
    return "".join(line + "\n" for line in found)
