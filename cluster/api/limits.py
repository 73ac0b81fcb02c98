"""How deep and how large a text may unfold before anybody looks at what it says.

In → JSON or YAML bytes, or the parsed value; out → is it too much. Nothing here calls itself, so that no input can use up
the interpreter's stack; the same input is refused on every machine.

Simplified here: Go's decoders allow ten thousand levels; the deepest thing anybody writes by hand (a
CustomResourceDefinition's schema) has about fifty.
"""

import re
from typing import Any

import yaml

MAX_DEPTH = 100
"""Objects and lists inside of each other."""
MAX_UNFOLDED = 200_000
"""Nodes of a YAML document after its aliases are replaced by what they stand for."""
TOO_DEEP = "exceeded max depth"
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


_NESTED = frozenset({dict, list})
"""What has parts; only these are looked into, as most of a document is text and numbers."""


def too_deep(value: Any) -> bool:
    """Does ``value`` have more than ``MAX_DEPTH`` levels?"""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _NESTED
        ]
        if not level:
            return False
    return True


def json_too_deep(data: bytes) -> bool:
    """The same of JSON text, which need not be valid."""
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKENS.finditer(data):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def yaml_problem(data: bytes | str, loader: Any) -> str:
    """Why the first document of a YAML text is too much, "" when it isn't. yaml.YAMLError when it is malformed."""
    sizes: dict[str, int] = {}
    open_nodes: list[list[Any]] = []  # [anchor, nodes so far]
    for event in yaml.parse(data, Loader=loader):
        if isinstance(event, yaml.DocumentEndEvent):
            break
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append([event.anchor, 1])
            if len(open_nodes) > MAX_DEPTH:
                return TOO_DEEP
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                return f"anchor '{event.anchor}' value contains itself"
            anchor, size = None, sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        if open_nodes:
            open_nodes[-1][1] += size
        if size > MAX_UNFOLDED or (open_nodes and open_nodes[-1][1] > MAX_UNFOLDED):
            return "document contains excessive aliasing"
    return ""
