"""The owner graph as a drawing: a column a level, an arrow a relation, every box a link.

In → the ``relations`` read model; out → boxes, lines and words with whole-pixel places for an SVG template, and the sentences of
its text view. A box keeps clear of every other; a word stands on the piece of line that belongs to its arrow alone.
"""

from __future__ import annotations

from typing import Any

from . import names

Doc = dict[str, Any]
NODE_W, NODE_H, GAP_X, GAP_Y, EDGE = 196, 46, 116, 14, 12
SCREEN = 1.55
"""On a projector everything is larger, and only the nearest level is drawn."""


def draw(graph: Doc, screen: bool = False) -> Doc:
    """Boxes, lines and words of the graph."""
    factor = SCREEN if screen else 1.0
    width, height, gap_x, gap_y = (round(one * factor) for one in (NODE_W, NODE_H, GAP_X, GAP_Y))
    nodes = [dict(node) for node in graph["nodes"] if not screen or abs(node["level"]) <= 1]
    known = {node["id"]: node for node in nodes}
    edges = [edge for edge in graph["edges"] if edge["from"] in known and edge["to"] in known]
    levels = sorted({node["level"] for node in nodes})
    columns = {level: _ordered([n for n in nodes if n["level"] == level], edges, known) for level in levels}
    tall = max(len(column) for column in columns.values())
    total = tall * (height + gap_y) - gap_y
    for place, level in enumerate(levels):
        column = columns[level]
        top = (total - (len(column) * (height + gap_y) - gap_y)) / 2
        for row, node in enumerate(column):
            node |= {
                "x": EDGE + place * (width + gap_x),
                "y": EDGE + round(top + row * (height + gap_y)),
                "w": width,
                "h": height,
            }
            node["label"] = names.cut(node["name"], 23 if not screen else 21)
    lines, words = _lines(nodes, edges, known, round(30 * factor), factor)
    return {
        "nodes": [node for level in levels for node in columns[level]],
        "lines": lines,
        "words": words,
        "width": EDGE * 2 + len(levels) * (width + gap_x) - gap_x + (30 if any(line["back"] for line in lines) else 0),
        "height": total + EDGE * 2 + 6,
        "text_x": round(10 * factor),
        "kind_y": round(17 * factor),
        "name_y": round(36 * factor),
    }


def _ordered(column: list[Doc], edges: list[Doc], known: dict[str, Doc]) -> list[Doc]:
    """Neighbours' order first (nearest the middle level is placed already or shares its owner), so that few lines cross."""

    def weight(node: Doc) -> tuple[int, str, str]:
        ends = [
            edge["from"] if edge["to"] == node["id"] else edge["to"]
            for edge in edges
            if node["id"] in (edge["from"], edge["to"])
        ]
        inner = [int(one[1:]) for one in ends if abs(known[one]["level"]) < abs(node["level"])]
        return (min(inner, default=0), node["kind"], node["name"])

    return sorted(column, key=weight)


def _lines(
    nodes: list[Doc], edges: list[Doc], known: dict[str, Doc], step: int, factor: float
) -> tuple[list[Doc], list[Doc]]:
    out_of: dict[str, int] = {}
    for edge in edges:
        out_of[edge["from"]] = out_of.get(edge["from"], 0) + 1
    lines: list[Doc] = []
    at_source: dict[str, list[str]] = {}
    at_target: dict[str, list[str]] = {}
    for edge in edges:
        a, b = known[edge["from"]], known[edge["to"]]
        ay, by = a["y"] + a["h"] // 2, b["y"] + b["h"] // 2
        right, left = a["x"] + a["w"], b["x"]
        back = b["x"] <= a["x"]
        if back:
            path = f"M{right} {ay}H{right + step // 2}V{by + 8}H{b['x'] + b['w'] + 7}"
        else:
            turn = right + step if out_of[edge["from"]] > 1 else left - step
            path = f"M{right} {ay}H{turn}V{by}H{left - 7}" if ay != by else f"M{right} {ay}H{left - 7}"
        tip = (b["x"] + b["w"], by + 8) if back else (left, by)
        way = 8 if back else -8
        head = f"M{tip[0] + way} {tip[1] - 4}L{tip[0]} {tip[1]}L{tip[0] + way} {tip[1] + 4}z"
        lines.append({"d": path, "head": head, "owns": edge["word"] == "owns", "back": back})
        if not back:
            side = at_target if out_of[edge["from"]] > 1 else at_source
            said = side.setdefault(edge["to"] if out_of[edge["from"]] > 1 else edge["from"], [])
            if edge["word"] not in said:
                said.append(edge["word"])
    words = []
    for name, said in at_source.items():
        node = known[name]
        words.append(
            {
                "x": node["x"] + node["w"] + round(6 * factor),
                "y": node["y"] + node["h"] // 2 - round(5 * factor),
                "said": said,
                "anchor": "start",
            }
        )
    for name, said in at_target.items():
        node = known[name]
        words.append(
            {
                "x": node["x"] - round(12 * factor),
                "y": node["y"] + node["h"] // 2 - round(5 * factor),
                "said": said,
                "anchor": "end",
            }
        )
    return lines, words


def sentences(graph: Doc) -> list[Doc]:
    """The edges as rows of a text: from, word, to."""
    known = {node["id"]: node for node in graph["nodes"]}
    return [{"a": known[edge["from"]], "word": edge["word"], "b": known[edge["to"]]} for edge in graph["edges"]]
