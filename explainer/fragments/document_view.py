"""An object as YAML for the eye: one row a line, folded by top-level field, with the lines that a stage changed marked.

In → an object (plain JSON data) and a JSON Patch with old values (``was``); out → `Section` s of `Row` s. What was removed is shown where
it was, marked as gone. Reading only: nobody parses it again, but it is valid YAML (strings that YAML would misread are quoted as JSON).
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

PLAIN = re.compile(r"[A-Za-z/_.$][\w./@%+$-]*(?::[\w./@%+$-]+)*(?: [\w./@%+()=-]+)*")
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"}
MOST_LINES = 1500
QUIET = ("managedFields",)
"""Fields that are long and seldom what one looks for."""


class Row(NamedTuple):
    """One line. ``mark``: empty, ``add``, ``change`` or ``remove``."""

    depth: int
    text: str
    mark: str = ""
    was: str = ""


class Section(NamedTuple):
    """A top-level field with its lines."""

    name: str
    rows: list[Row]
    changed: int


def sections(document: Any, patch: list[dict[str, Any]] | None = None) -> list[Section]:
    """Return the object by top-level field."""
    marks = {op["path"]: op for op in patch or []}
    if not isinstance(document, dict):
        return [Section("", _lines(document, 0, "", "", marks, ""), len(marks))] if document is not None else []
    out = []
    gone = [path[1:] for path, op in marks.items() if op["op"] == "remove" and path.count("/") == 1]
    for key in [*document, *gone]:
        pointer = "/" + _escaped(key)
        if key in document:
            rows = _entry(key, document[key], 0, pointer, marks, "")
        else:
            rows = _removed(key, marks[pointer], 0)
        out.append(Section(key, rows[:MOST_LINES], sum(1 for row in rows if row.mark)))
    return out


def _escaped(key: str) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _entry(
    key: str, value: Any, depth: int, pointer: str, marks: dict[str, Any], mark: str, lead: str = ""
) -> list[Row]:
    """``key: value``; a compound value follows on lines of its own."""
    op = marks.get(pointer)
    own = mark or _mark(op)
    was = scalar(op["was"]) if op and "was" in op and not isinstance(op["was"], (dict, list)) and not mark else ""
    head = f"{lead}{scalar(key)}:"
    if isinstance(value, (dict, list)) and value:
        return [Row(depth, head, own, was), *_lines(value, depth + 1 + (1 if lead else 0), pointer, "", marks, own)]
    return [Row(depth, f"{head} {scalar(value)}", own, was)]


def _lines(value: Any, depth: int, pointer: str, lead: str, marks: dict[str, Any], mark: str) -> list[Row]:
    rows: list[Row] = []
    if isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            rows += _entry(
                key,
                item,
                depth,
                f"{pointer}/{_escaped(key)}",
                marks,
                mark,
                lead if index == 0 else "  " if lead else "",
            )
        removed = [p for p, op in marks.items() if op["op"] == "remove" and p.rpartition("/")[0] == pointer]
        for path in removed:
            rows += _removed(path.rpartition("/")[2].replace("~1", "/").replace("~0", "~"), marks[path], depth)
        return rows
    if isinstance(value, list):
        for index, item in enumerate(value):
            at = f"{pointer}/{index}"
            own = mark or _mark(marks.get(at))
            if isinstance(item, (dict, list)) and item:
                rows += _lines(item, depth, at, "- ", marks, own)
            else:
                rows.append(Row(depth, f"- {scalar(item)}", own))
        return rows
    return [Row(depth, scalar(value), mark)]


def _mark(op: dict[str, Any] | None) -> str:
    return "" if op is None else {"add": "add", "replace": "change", "remove": "remove"}.get(op["op"], "change")


def _removed(key: str, op: dict[str, Any], depth: int) -> list[Row]:
    was = op.get("was")
    if isinstance(was, (dict, list)) and was:
        return [
            Row(depth, f"{scalar(key)}:", "remove"),
            *[row._replace(mark="remove") for row in _lines(was, depth + 1, "", "", {}, "remove")],
        ]
    return [Row(depth, f"{scalar(key)}: {scalar(was)}", "remove")]


def scalar(value: Any) -> str:
    """Return a leaf as YAML writes it."""
    if isinstance(value, str):
        if PLAIN.fullmatch(value) and value.lower() not in WORDS:
            return value
        return json.dumps(value, ensure_ascii=False)
    if value == {}:
        return "{}"
    return json.dumps(value, ensure_ascii=False)
