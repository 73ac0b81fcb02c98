"""Where in a YAML text a field stands, so that what a server says of ``spec.containers[0].image`` can point at a line.

In → the text, which document, the field as a Status names it; out → its line, from 1, or that of the nearest thing above it that is there;
0 when nothing is. Errors: none.
"""

from __future__ import annotations

import re

import yaml

STEP = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def line_of(text: str, document: int, field: str) -> int:
    """The line of a field: ``spec.containers[0].image``, ``.spec.containers[name="c"].image``, ``metadata.labels``."""
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
    except yaml.YAMLError:
        return 0
    if not document < len(nodes):
        return 0
    node, line = nodes[document], nodes[document].start_mark.line + 1
    for inside, name in STEP.findall(field):
        found = _step(node, inside, name)
        if found is None:
            return line
        key, node = found
        line = key.start_mark.line + 1
    return line


def _step(node: yaml.Node, inside: str, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """(where it begins, its value) of one step down."""
    if isinstance(node, yaml.MappingNode):
        wanted = name or inside
        return next(((key, value) for key, value in node.value if key.value == wanted), None)
    if not isinstance(node, yaml.SequenceNode) or name:
        return None
    if inside.isdigit():
        return (node.value[int(inside)],) * 2 if int(inside) < len(node.value) else None
    pairs = dict(re.findall(r'(\w+)="?([^",]*)"?', inside))
    for item in node.value:
        if isinstance(item, yaml.MappingNode):
            said = {key.value: value.value for key, value in item.value if isinstance(value, yaml.ScalarNode)}
            if pairs and all(
                said.get(key, "TCP" if key == "protocol" else None) == value for key, value in pairs.items()
            ):
                return item, item
    return None
