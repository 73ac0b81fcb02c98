"""What structured merge diff finds wrong with an applied configuration: it must fit the kind's schema before anything is merged.

In → a raw document and its kind's schema; out → sentences such as ``.spec.containers[name="c"].env: expected list, got &{x}``,
in the order of the document. They are joined into the 500 that server-side apply answers with.

Simplified here: quantities, times and int-or-strings may be any scalar, as upstream; what only Kubernetes' own decoder refuses
(a number too big for int32) is told by that one afterwards.

Upstream: sigs.k8s.io/structured-merge-diff/v4/typed/{validate,helpers}.go.
"""

from typing import Any

from cluster.api.field import quote
from cluster.api.fieldset import item_key, written
from cluster.api.schema import ListNode, MapNode, Node, StructNode

_SCALARS = {"string": (str,), "int": (int, float), "number": (int, float), "bool": (bool,)}


def problems(value: Any, node: Node | None, path: str = "") -> list[str]:
    """Everything below ``path`` that does not fit; [] when all does."""
    if value is None or node is None:
        return []
    if isinstance(node, StructNode | MapNode):
        return _map(value, node, path)
    if isinstance(node, ListNode):
        return _list(value, node, path)
    wanted = _SCALARS.get(node.op)
    if wanted is None or (isinstance(value, wanted) and not (isinstance(value, bool) and bool not in wanted)):
        return []
    if node.op == "string":
        return [f"{path}: expected string, got &value.valueUnstructured{{Value:{_sharp(value)}}}"]
    if node.op == "bool":
        return [f"{path}: expected boolean, got &{{{_plain(value)}}}"]
    return [f"{path}: expected numeric (int or float), got {_kind(value)}"]


def _map(value: Any, node: Node, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: expected map, got &{{{_plain(value)}}}"]
    found: list[str] = []
    for key, item in value.items():
        if isinstance(node, StructNode) and key not in node.fields:
            found.append(f"{path}.{key}: field not declared in schema")
        else:
            found += problems(item, node.child(key), f"{path}.{key}")
    return found


def _list(value: Any, node: ListNode, path: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{path}: expected list, got &{{{_plain(value)}}}"]
    found: list[str] = []
    seen: set[str] = set()
    for n, item in enumerate(value):
        place = f"[{n}]"
        if node.list_type in ("map", "set"):
            missing = _lacks_key(item, node)
            if missing:
                found.append(f"{path}: element {n}: {missing}")
                continue
            place = written(item_key(item, node))
            if place in seen:
                found.append(f"{path}: duplicate entries for key {place}")
            seen.add(place)
        found += problems(item, node.element, f"{path}{place}")
    return found


def _lacks_key(item: Any, node: ListNode) -> str:
    if node.list_type != "map":
        return ""
    if not isinstance(item, dict):
        return "associative list with keys may not have non-map elements"
    for key in node.keys:
        if item.get(key) is None and key != "protocol":
            return f"associative list with keys has an element that omits key field {quote(key)} (and doesn't have default value)"
    return ""


def _kind(value: Any) -> str:
    """Go's ``%T`` of parsed JSON."""
    if isinstance(value, dict):
        return "map[string]interface {}"
    return "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "[]interface {}"


def _sharp(value: Any) -> str:
    """Go's ``%#v`` of parsed JSON."""
    if isinstance(value, dict):
        return f"{_kind(value)}{{{', '.join(f'{quote(k)}:{_sharp(value[k])}' for k in sorted(value))}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(map(_sharp, value))}}}"
    return quote(value) if isinstance(value, str) else _plain(value) if value is not None else "interface {}(nil)"


def _plain(value: Any) -> str:
    """Go's ``%v`` of parsed JSON."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{k}:{_plain(value[k])}' for k in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_plain, value))}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
