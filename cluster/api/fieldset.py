"""Sets of fields of an object, in the very form that ``managedFields`` stores (FieldsV1), and their arithmetic.

A set is a tree: ``{"f:data": {".": {}, "f:a": {}}}``. A key is a path element (``f:`` field, ``k:`` list item by its keys,
``v:`` list item by value); a subtree that is empty or has "." says that the path itself is in the set. Trees are never
changed in place.

In → documents, a schema's ``Node``; out → trees. Errors: none; a tree that a client made up is taken as it is.

Simplified here: nothing of the arithmetic; index path elements (``i:``) are carried but never made.

Upstream: sigs.k8s.io/structured-merge-diff/v4/fieldpath, typed/compare.go.
"""

import re
from functools import lru_cache
from typing import Any

import orjson

from cluster.api.schema import ListNode, Node

Tree = dict[str, Any]
Doc = dict[str, Any]

_KEY_DEFAULTS = {"protocol": "TCP"}
"""Default values of list keys, which an applied configuration may leave out (ports)."""


def item_key(item: Any, node: Node) -> str:
    """The path element of a list item: by its keys or by its value."""
    if node.list_type == "map" and isinstance(item, dict):
        if len(node.keys) == 1:
            key = node.keys[0]
            value = item.get(key)
            if type(value) is str:
                return _key_of(key, value)
        keys = {k: item[k] if item.get(k) is not None else _KEY_DEFAULTS.get(k) for k in sorted(node.keys)}
        return "k:" + orjson.dumps({k: v for k, v in keys.items() if v is not None}).decode()
    return "v:" + orjson.dumps(item).decode()


_PARTED = frozenset((dict, list))


@lru_cache(maxsize=4096)
def _field(key: str) -> str:
    return f"f:{key}"


@lru_cache(maxsize=4096)
def _key_of(key: str, value: str) -> str:
    return "k:" + orjson.dumps({key: value}).decode()


def is_granular(value: Any, node: Node | None) -> bool:
    """Whether the parts of a value have owners of their own (else it is one leaf)."""
    kind = type(value)
    if kind is dict:
        return node is not None and node.map_type != "atomic" and node.op in ("struct", "map")
    if kind is list:
        return node is not None and node.list_type in ("map", "set")
    return False


def _element(node: Node | None) -> Node | None:
    return node.element if isinstance(node, ListNode) else None


LEAF: Tree = {}
"""The tree of what has no parts: one for all, as none is ever changed."""


def whole(value: Any, node: Node | None) -> Tree:
    """Everything of a value that was added, itself included."""
    if not value or not is_granular(value, node):
        return LEAF
    tree: Tree = {".": LEAF}
    assert node is not None
    if isinstance(value, dict):
        for key in sorted(value):
            item = value[key]
            tree[_field(key)] = whole(item, node.child(key)) if type(item) in _PARTED else LEAF
        return tree
    inner = _element(node)
    for item in value:
        tree[item_key(item, node)] = whole(item, inner) if node.list_type == "map" else LEAF
    return tree


def said(value: Any, node: Node | None) -> Tree:
    """What an applied configuration says: its leaves, and the list items it names."""
    if not value or not is_granular(value, node):
        return {}
    assert node is not None
    if isinstance(value, dict):
        return {f"f:{key}": said(value[key], node.child(key)) for key in sorted(value)}
    if node.list_type == "set":
        return {item_key(item, node): {} for item in value}
    inner = _element(node)
    return {item_key(item, node): {".": {}, **said(item, inner)} for item in value}


def compare(old: Any, new: Any, node: Node | None) -> tuple[Tree, Tree]:
    """(changed or added, removed) between two values that differ; both trees are without their own root."""
    changed: Tree = {}
    removed: Tree = {}
    assert node is not None
    if isinstance(new, dict) or (new is None and isinstance(old, dict)):
        before, after = old or {}, new or {}
        for key, value in after.items():
            parted = type(value) in _PARTED
            if key not in before:
                changed[_field(key)] = whole(value, node.child(key)) if parted else LEAF
                continue
            was = before[key]
            if was is value or was == value:
                continue
            if parted or type(was) in _PARTED:
                _compare_one(_field(key), was, value, node.child(key), changed, removed)
            else:
                changed[_field(key)] = LEAF
        if before.keys() - after.keys():
            for key in before:
                if key not in after:
                    removed[_field(key)] = whole(before[key], node.child(key))
        return ({key: changed[key] for key in sorted(changed)} if len(changed) > 1 else changed), removed
    inner = _element(node)
    if old and new and len(old) == len(new):
        pairs = _side_by_side(old, new, node)
        if pairs is not None:
            for key, was, item in pairs:
                _compare_one(key, was, item, inner, changed, removed)
            return changed, removed
    before_items = {item_key(item, node): item for item in old or ()}
    after_items = {item_key(item, node): item for item in new or ()}
    for key, item in after_items.items():
        if key not in before_items:
            changed[key] = whole(item, inner) if node.list_type == "map" else LEAF
        elif item != before_items[key]:
            _compare_one(key, before_items[key], item, inner, changed, removed)
    for key, item in before_items.items():
        if key not in after_items:
            removed[key] = whole(item, inner) if node.list_type == "map" else LEAF
    return changed, removed


def _side_by_side(old: list[Any], new: list[Any], node: Node) -> list[tuple[str, Any, Any]] | None:
    """(key, before, after) of the items that differ, when all stand where they stood; None when some came, went or moved."""
    differ: list[tuple[str, Any, Any]] = []
    for was, item in zip(old, new, strict=True):
        if was is item:
            continue
        key = item_key(item, node)
        if key != item_key(was, node):
            return None
        if item != was:
            differ.append((key, was, item))
    return differ


def _compare_one(key: str, old: Any, new: Any, node: Node | None, changed: Tree, removed: Tree) -> None:
    granular = (is_granular(old, node) or old is None) and (is_granular(new, node) or new is None)
    if granular and (isinstance(old, dict | list) or isinstance(new, dict | list)):
        inner_changed, inner_removed = compare(old, new, node)
        if inner_changed:
            changed[key] = inner_changed
        if inner_removed:
            removed[key] = inner_removed
    else:
        changed[key] = LEAF


def shape(doc: Doc) -> tuple[Any, ...] | None:
    """All that ``compare`` with a kind's empty value sees of a new object; None when it would have to look at the items of lists."""
    parts: list[Any] = []
    for key, value in doc.items():
        kind = type(value)
        if kind is dict:
            inner = shape(value)
            if inner is None:
                return None
            parts.append((key, inner))
        elif not value:  # it may be what the empty value has, too
            parts.append((key, "[]" if kind is list else value))
        elif kind is list:
            return None
        else:
            parts.append(key)
    return tuple(parts)


# --- arithmetic ------------------------------------------------------------------------------------------------------


def _member(tree: Tree) -> bool:
    return not tree or "." in tree


def union(a: Tree, b: Tree) -> Tree:
    """Paths in either. The roots are not members."""
    out = dict(a)
    grown = False
    for key, right in b.items():
        left = out.get(key)
        if left is None:
            out[key] = right
            grown = True
        elif key != "." and left is not right:
            out[key] = _union_inner(left, right)
    return {key: out[key] for key in sorted(out)} if grown else out


def _union_inner(a: Tree, b: Tree) -> Tree:
    if not b:
        return a if _member(a) else {".": {}, **a}
    if not a:
        return b if "." in b else {".": {}, **b}
    return union(a, b)


def difference(a: Tree, b: Tree) -> Tree:
    """Paths in ``a`` that are not in ``b``; the same object when nothing goes."""
    out: Tree | None = None
    for key, right in b.items():
        left = a.get(key)
        if left is None or key == ".":
            continue
        rest = _difference_inner(left, right)
        if rest is left:
            continue
        if out is None:
            out = dict(a)
        if rest is None:
            del out[key]
        else:
            out[key] = rest
    return a if out is None else out


def _difference_inner(a: Tree, b: Tree) -> Tree | None:
    goes = _member(b)
    if not a:
        return None if goes else a
    rest = difference(a, b)
    if goes and "." in rest:
        rest = {k: v for k, v in rest.items() if k != "."}
    if not rest:
        # Nothing left below: the path itself stays only when it was a member and ``b`` does not take it.
        return None if goes or "." not in a else {}
    if set(rest) == {"."}:
        return {}
    return rest


def intersection(a: Tree, b: Tree) -> Tree:
    """Paths in both."""
    out: Tree = {}
    for key, left in a.items():
        right = b.get(key)
        if right is None or key == ".":
            continue
        both = _member(left) and _member(right)
        inner = intersection(left, right)
        if inner:
            out[key] = {".": {}, **inner} if both else inner
        elif both:
            out[key] = {}
    return out


def without(tree: Tree, path: tuple[str, ...]) -> Tree:
    """The set without ``path`` (field names) and everything below it."""
    key = f"f:{path[0]}"
    inner = tree.get(key)
    if inner is None:
        return tree
    if len(path) > 1:
        rest = without(inner, path[1:])
        if rest is inner:
            return tree
        if rest:
            return {**tree, key: rest}
    return {k: v for k, v in tree.items() if k != key}


def paths(tree: Tree, prefix: str = "") -> list[str]:
    """Every path in the set as upstream writes it: ``.spec.containers[name="c"].image``."""
    found: list[str] = []
    for key in sorted(tree):
        if key == ".":
            continue
        path = prefix + written(key)
        if _member(tree[key]):
            found.append(path)
        found.extend(paths(tree[key], path))
    return found


def located(value: Any, node: Node | None, path: str) -> str:
    """A decoder's path (``spec.containers[0].x``) as upstream writes it (``.spec.containers[name="c"].x``)."""
    out = ""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        if name:
            out += f".{name}"
            value = value.get(name) if isinstance(value, dict) else None
            node = node.child(name) if node is not None else None
            continue
        value = value[int(index)] if isinstance(value, list) else None
        keyed = isinstance(node, ListNode) and node.list_type == "map"
        out += written(item_key(value, node)) if keyed and node is not None else f"[{index}]"
        node = _element(node)
    return out


def written(key: str) -> str:
    """A path element as upstream writes it in sentences: ``.spec``, ``[name="c"]``."""
    kind, rest = key[:2], key[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "k:":
        pairs = orjson.loads(rest)
        return "[" + ",".join(f"{k}={orjson.dumps(pairs[k]).decode()}" for k in sorted(pairs)) + "]"
    if kind == "v:":
        return f"[={rest}]"
    return f"[{rest}]"
