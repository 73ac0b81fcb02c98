"""One object laid out for reading: YAML lines with the owner of each field, and the difference of two values.

In → out: documents in, plain dicts for templates out. Pure: no request, no settings.

``managedFields`` says who owns what: an entry is a manager, an operation (Apply or Update) and a tree of paths, whose elements are
``f:`` a field, ``k:`` a list item by its keys, ``v:`` one by its value, ``i:`` one by its place. A leaf of the tree owns
everything below it (the list or map is atomic); "." owns the thing itself but not its parts. A line has the owners that the trees
say, none if no entry reaches it, and is ``structure`` when only parts of it have owners.

Simplified here: keys are sorted, as kubectl prints them; comments don't exist in what the server stores.
"""

from __future__ import annotations

import difflib
import json
from hashlib import blake2b
from typing import Any

from cluster.shell import goyaml

Doc = dict[str, Any]
ALL: Doc = {"*": True}
"""As a tree: everything from here on is owned."""
CONTEXT = 3
"""Unchanged lines shown around a change."""
SECRET_FIELDS = ("data", "stringData")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def letter(place: int) -> str:
    """A, B … Z, A2, B2 …"""
    return chr(65 + place % 26) + (str(place // 26 + 1) if place >= 26 else "")


def managers(doc: Doc) -> list[Doc]:
    """The entries of managedFields, each with its letter and how many paths it owns."""
    entries = doc.get("metadata", {}).get("managedFields") or []
    return [
        {
            "letter": letter(place),
            "manager": entry.get("manager", ""),
            "operation": entry.get("operation", ""),
            "subresource": entry.get("subresource", ""),
            "apiVersion": entry.get("apiVersion", ""),
            "time": entry.get("time", ""),
            "fields": counted(entry.get("fieldsV1") or {}),
        }
        for place, entry in enumerate(entries)
    ]


def counted(tree: Doc) -> int:
    """How many paths a tree owns."""
    return sum(
        (1 if not below or "." in below else 0) + counted(below)
        for key, below in tree.items()
        if key != "." and isinstance(below, dict)
    )


def lines(doc: Doc, with_managed: bool = False) -> list[Doc]:
    """The document as lines: ``{n, pad, dash, key, value, path, owners: [place, …], state, end}``.

    ``state``: ``owned``, ``none`` (no manager owns it) or ``structure``. ``end``: the last line of what it opens (folding).
    """
    entries = doc.get("metadata", {}).get("managedFields") or []
    trees = [(place, entry.get("fieldsV1") or {}) for place, entry in enumerate(entries)]
    shown = doc if with_managed else without_managed(doc)
    out: list[Doc] = []
    _mapping(shown, "", "", "", [(place, tree) for place, tree in trees if tree], out)
    for number, line in enumerate(out, 1):
        line["n"] = number
    _mark_runs(out)
    return out


def without_managed(doc: Doc) -> Doc:
    """The document as kubectl shows it."""
    meta = doc.get("metadata")
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return doc
    return {**doc, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}


def _child(trees: list[tuple[int, Doc]], element: str) -> list[tuple[int, Doc]]:
    """What the trees say below a path element."""
    found = []
    for place, tree in trees:
        if tree is ALL:
            found.append((place, ALL))
            continue
        below = tree.get(element)
        if below is not None:
            found.append((place, below or ALL))
    return found


def _of_item(trees: list[tuple[int, Doc]], item: Any, index: int) -> tuple[list[tuple[int, Doc]], str]:
    """What the trees say of a list item, and how its place is written."""
    found, written = [], f"[{index}]"
    for place, tree in trees:
        if tree is ALL:
            found.append((place, ALL))
            continue
        for element, below in tree.items():
            if _names(element, item, index):
                found.append((place, below or ALL))
                written = _written(element)
                break
    return found, written


def _names(element: str, item: Any, index: int) -> bool:
    kind, said = element[:2], element[2:]
    try:
        if kind == "k:" and isinstance(item, dict):
            return all(
                item.get(key, "TCP" if key == "protocol" else None) == value for key, value in json.loads(said).items()
            )
        return json.loads(said) == item if kind == "v:" else kind == "i:" and int(said) == index
    except ValueError:
        return False


def _written(element: str) -> str:
    """As upstream writes it: ``[name="c"]``."""
    if element.startswith("k:"):
        return (
            "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(json.loads(element[2:]).items())) + "]"
        )
    return f"[={element[2:]}]" if element.startswith("v:") else f"[{element[2:]}]"


def _owners(trees: list[tuple[int, Doc]]) -> list[int]:
    return [place for place, tree in trees if tree is ALL or "." in tree]


def _mapping(value: Doc, pad: str, dash: str, path: str, trees: list[tuple[int, Doc]], out: list[Doc]) -> None:
    for n, key in enumerate(sorted(value)):
        first = dash and n == 0
        place = pad if first or not dash else pad + "  "
        _entry(
            value[key],
            place,
            dash if first else "",
            goyaml.scalar(key) + ":",
            f"{path}.{key}",
            _child(trees, f"f:{key}"),
            out,
        )


def _sequence(value: list[Any], pad: str, path: str, trees: list[tuple[int, Doc]], out: list[Doc]) -> None:
    for index, item in enumerate(value):
        below, written = _of_item(trees, item, index)
        start = len(out)
        if isinstance(item, dict) and item:
            _mapping(item, pad, "- ", path + written, below, out)
        else:
            _entry(item, pad, "- ", "", path + written, below, out)
        out[start]["end"] = len(out)


def _entry(value: Any, pad: str, dash: str, key: str, path: str, trees: list[tuple[int, Doc]], out: list[Doc]) -> None:
    """A key (or a dash alone) with its value, on one line or on many."""
    owners = _owners(trees)
    line: Doc = {"pad": pad, "dash": dash, "key": key, "value": "", "path": path, "owners": owners, "end": 0}
    line["state"] = "owned" if owners else "structure" if trees else "none"
    out.append(line)
    inner = pad + ("  " if dash else "")
    if isinstance(value, dict) and value:
        _mapping(value, inner + "  " if key else inner, "", path, trees, out)
    elif isinstance(value, list) and value:
        _sequence(value, inner, path, trees, out)
    else:
        text = "{}" if isinstance(value, dict) else "[]" if isinstance(value, list) else goyaml.dump(value)[:-1]
        first, *rest = text.split("\n")
        line["value"] = first
        out.extend(
            {"pad": inner + "  " if one else "", "dash": "", "key": "", "value": one, "path": path, "owners": owners,
             "state": line["state"], "end": 0} for one in rest
        )  # fmt: skip
    line["end"] = len(out)


def _mark_runs(out: list[Doc]) -> None:
    """A line begins a run when its owners are not those of the line before: there the gutter says the names."""
    before: tuple[str, list[int]] = ("", [])
    for line in out:
        here = (line["state"], line["owners"])
        line["run"] = here != before
        before = here
        line["fold"] = line["end"] > line["n"]


def text_of(doc: Doc) -> str:
    """The document as YAML, without managedFields."""
    return goyaml.dump(without_managed(doc))


# -- secrets --------------------------------------------------------------------------------------------------------------


def is_secret(doc: Doc) -> bool:
    """Whether its data are not for every eye in the room."""
    return doc.get("kind") == "Secret"


def masked(doc: Doc) -> Doc:
    """A Secret whose values are hidden; equal values still look equal."""
    if not is_secret(doc):
        return doc
    out = {
        key: ({k: _mask(v) for k, v in value.items()} if key in SECRET_FIELDS and isinstance(value, dict) else value)
        for key, value in doc.items()
    }
    notes = (doc.get("metadata") or {}).get("annotations") or {}
    if LAST_APPLIED in notes:
        out["metadata"] = {**doc["metadata"], "annotations": {**notes, LAST_APPLIED: _mask(notes[LAST_APPLIED])}}
    return out


def _mask(value: Any) -> str:
    text = str(value)
    return f"•••••• ({len(text)} characters, #{blake2b(text.encode(), digest_size=2).hexdigest()})"


# -- differences ----------------------------------------------------------------------------------------------------------


def difference(left: Doc | None, right: Doc | None) -> Doc:
    """Two values line by line: ``{rows, added, removed, changed}``; a row has ``sign`` (+ − ~ or "" and "…" for what is left out).

    A changed line (``~``) says its old value in ``was``.
    """
    old = text_of(left).splitlines() if left else []
    new = text_of(right).splitlines() if right else []
    rows: list[Doc] = []
    counts = {"added": 0, "removed": 0, "changed": 0}
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        if rows or group[0][1] > 0:
            rows.append({"sign": "…", "old": "", "new": "", "text": "", "was": ""})
        for op, a, b, c, d in group:
            if op == "equal":
                rows += [_diff_row("", a + n + 1, c + n + 1, new[c + n]) for n in range(b - a)]
                continue
            paired = _paired(old[a:b], new[c:d])
            for sign, i, j in paired:
                if sign == "~":
                    rows.append(
                        {**_diff_row("~", a + i + 1, c + j + 1, new[c + j]), "was": _value_of(old[a + i], new[c + j])}
                    )
                    counts["changed"] += 1
                elif sign == "-":
                    rows.append(_diff_row("−", a + i + 1, "", old[a + i]))
                    counts["removed"] += 1
                else:
                    rows.append(_diff_row("+", "", c + j + 1, new[c + j]))
                    counts["added"] += 1
    return {"rows": rows, **counts, "same": not rows}


def _value_of(old: str, new: str) -> str:
    """What stood there before: without the key when it is the same."""
    key = _key(old)
    return old[len(key) :].strip() if key != old and new.startswith(key) else old.strip()


def _diff_row(sign: str, old: int | str, new: int | str, text: str) -> Doc:
    return {"sign": sign, "old": old, "new": new, "text": text, "was": ""}


def _paired(old: list[str], new: list[str]) -> list[tuple[str, int, int]]:
    """Lines of a replaced block: one that has the same key in the same column is changed, the others are removed or added."""
    out: list[tuple[str, int, int]] = []
    matcher = difflib.SequenceMatcher(None, [_key(line) for line in old], [_key(line) for line in new], autojunk=False)
    for op, a, b, c, d in matcher.get_opcodes():
        if op == "equal":
            out += [("~", a + n, c + n) for n in range(b - a)]
        else:
            out += [("-", n, 0) for n in range(a, b)]
            out += [("+", 0, n) for n in range(c, d)]
    return out


def _key(line: str) -> str:
    head, colon, _ = line.partition(":")
    return head + colon if colon else line
