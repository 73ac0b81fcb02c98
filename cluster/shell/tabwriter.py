"""Columns of text, as Go's text/tabwriter lays them out: a cell is as wide as the widest of its column, plus padding.

A column is a run of neighbouring lines that all have a cell there; the last cell of a line belongs to no column.
"""


def align(text: str, *, minimum: int = 6, padding: int = 3) -> str:
    """``text`` with tabs between cells → with blanks."""
    if not text:
        return ""
    final = text.endswith("\n")
    lines = [line.split("\t") for line in (text[:-1] if final else text).split("\n")]
    widths: list[list[int]] = [[0] * (len(cells) - 1) for cells in lines]
    column = 0
    while any(len(each) > column for each in widths):
        at = 0
        while at < len(lines):
            if len(widths[at]) <= column:
                at += 1
                continue
            end = at
            while end < len(lines) and len(widths[end]) > column:
                end += 1
            longest = max(len(lines[row][column]) for row in range(at, end))
            size = max(longest + padding, minimum)
            for row in range(at, end):
                widths[row][column] = size
            at = end
        column += 1
    out = []
    for cells, sizes in zip(lines, widths, strict=True):
        out.append("".join(f"{cell:<{size}}" for cell, size in zip(cells, sizes, strict=False)) + cells[-1])
    return "\n".join(out) + ("\n" if final else "")
