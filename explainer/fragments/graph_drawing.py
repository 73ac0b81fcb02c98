"""The owner graph as a drawing: a column a level, an arrow a relation, every box a link.

In → the ``relations`` read model; out → boxes, lines and words with whole-pixel places for an SVG template, and the sentences of
its text view. A box keeps clear of every other; a word stands on the piece of line that belongs to its arrow alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import names

Doc = dict[str, Any]
EDGE = 12


class Sizes(NamedTuple):
    """Of a box, of the space between boxes, of the piece of line before a turn; where texts stand in a box, how long a name may be."""

    width: int
    height: int
    gap_x: int
    gap_y: int
    step: int
    text_x: int
    kind_y: int
    name_y: int
    letters: int


PAGE = Sizes(180, 46, 106, 14, 28, 10, 17, 36, 20)
SCREEN = Sizes(228, 70, 134, 20, 28, 12, 27, 56, 16)
"""On a projector texts are 20 px, and only the nearest level is drawn."""


def draw(graph: Doc, screen: bool = False) -> Doc:
    """Boxes, lines and words of the graph."""
    size = SCREEN if screen else PAGE
    nodes = [dict(node) for node in graph["nodes"] if not screen or abs(node["level"]) <= 1]
    known = {node["id"]: node for node in nodes}
    edges = [edge for edge in graph["edges"] if edge["from"] in known and edge["to"] in known]
    levels = sorted({node["level"] for node in nodes})
    columns: dict[int, list[Doc]] = {}
    rows: dict[str, float] = {}
    for level in sorted(levels, key=abs):
        columns[level] = _ordered([n for n in nodes if n["level"] == level], edges, rows)
        middle = (len(columns[level]) - 1) / 2
        rows |= {node["id"]: row - middle for row, node in enumerate(columns[level])}
    total = max(len(column) for column in columns.values()) * (size.height + size.gap_y) - size.gap_y
    for place, level in enumerate(levels):
        column = columns[level]
        top = (total - (len(column) * (size.height + size.gap_y) - size.gap_y)) / 2
        for row, node in enumerate(column):
            node["x"] = EDGE + place * (size.width + size.gap_x)
            node["y"] = EDGE + round(top + row * (size.height + size.gap_y))
            node |= {"w": size.width, "h": size.height, "label": names.cut(node["name"], size.letters)}
    lines, words = _lines(edges, known, size)
    return {
        "nodes": [node for level in levels for node in columns[level]],
        "lines": lines,
        "words": words,
        "width": EDGE * 2
        + len(levels) * (size.width + size.gap_x)
        - size.gap_x
        + (30 if any(line["back"] for line in lines) else 0),
        "height": total + EDGE * 2 + 6,
        "text_x": size.text_x,
        "kind_y": size.kind_y,
        "name_y": size.name_y,
    }


def _ordered(column: list[Doc], edges: list[Doc], rows: dict[str, float]) -> list[Doc]:
    """As their neighbours nearer to the middle stand, so that few lines cross."""

    def weight(node: Doc) -> tuple[float, str, str]:
        ends = [
            edge["from"] if edge["to"] == node["id"] else edge["to"]
            for edge in edges
            if node["id"] in (edge["from"], edge["to"])
        ]
        near = [rows[one] for one in ends if one in rows]
        return (sum(near) / len(near) if near else 0.0, node["kind"], node["name"])

    return sorted(column, key=weight)


def _lines(edges: list[Doc], known: dict[str, Doc], size: Sizes) -> tuple[list[Doc], list[Doc]]:
    """Arrows turn after their source when it has several, else before their target; the word stands where an arrow is alone."""
    out_of: dict[str, int] = {}
    for edge in edges:
        out_of[edge["from"]] = out_of.get(edge["from"], 0) + 1
    trunks = _trunks(edges, known, out_of)
    lines: list[Doc] = []
    at_source: dict[str, list[str]] = {}
    at_target: dict[str, list[str]] = {}
    for edge in edges:
        a, b = known[edge["from"]], known[edge["to"]]
        ay, by = a["y"] + a["h"] // 2, b["y"] + b["h"] // 2
        right, left = a["x"] + a["w"], b["x"]
        back = b["x"] <= a["x"]
        many = out_of[edge["from"]] > 1
        if back:
            path = f"M{right} {ay}H{right + size.step // 2}V{by + 8}H{b['x'] + b['w'] + 7}"
        elif ay == by and b["level"] == a["level"] + 1:
            path = f"M{right} {ay}H{left - 7}"
        else:
            turn = right + size.step + trunks[edge["from"]] if many else left - size.step + trunks[edge["from"]]
            path = f"M{right} {ay}H{turn}V{by}H{left - 7}"
        tip = (b["x"] + b["w"], by + 8) if back else (left, by)
        way = 8 if back else -8
        head = f"M{tip[0] + way} {tip[1] - 4}L{tip[0]} {tip[1]}L{tip[0] + way} {tip[1] + 4}z"
        lines.append({"d": path, "head": head, "owns": edge["word"] == "owns", "back": back})
        if not back:
            said = at_target.setdefault(edge["to"], []) if many else at_source.setdefault(edge["from"], [])
            if edge["word"] not in said:
                said.append(edge["word"])
    words = []
    for side, anchor in ((at_source, "start"), (at_target, "end")):
        for name, said in side.items():
            node = known[name]
            x = node["x"] + node["w"] + 6 if anchor == "start" else node["x"] - 12
            words.append({"x": x, "y": node["y"] + node["h"] // 2 - 5, "said": said, "anchor": anchor})
    return lines, words


def _trunks(edges: list[Doc], known: dict[str, Doc], out_of: dict[str, int]) -> dict[str, int]:
    """How far a source's upright piece of line keeps from its neighbours': sources of one column that lead to different ones."""
    targets: dict[str, set[str]] = {}
    for edge in edges:
        targets.setdefault(edge["from"], set()).add(edge["to"])
    found: dict[str, int] = {}
    by_level: dict[int, list[str]] = {}
    for source in sorted(targets, key=lambda one: known[one]["y"]):
        by_level.setdefault(known[source]["level"], []).append(source)
    for column in by_level.values():
        groups: list[set[str]] = []
        for source in column:
            if targets[source] not in groups:
                groups.append(targets[source])
            found[source] = 7 * (groups.index(targets[source]) % 4) * (1 if out_of[source] > 1 else -1)
    return found


def sentences(graph: Doc) -> list[Doc]:
    """The edges as rows of a text: from, word, to."""
    known = {node["id"]: node for node in graph["nodes"]}
    return [{"a": known[edge["from"]], "word": edge["word"], "b": known[edge["to"]]} for edge in graph["edges"]]
