"""Kinds without a form of their own, field by field.

Upstream: kubectl/pkg/describe/describe.go ``genericDescriber``.
"""

from typing import Any

from cluster.shell.commands.kubectl import describing as d
from cluster.shell.commands.kubectl.describers.common import pairs

Doc = dict[str, Any]


def _title(key: str) -> str:
    """``creationTimestamp`` → ``Creation Timestamp``; ``podIP`` → ``Pod IP``."""
    out = ""
    for place, char in enumerate(key):
        before = key[place - 1] if place else ""
        after = key[place + 1] if place + 1 < len(key) else ""
        if place and char.isupper() and (before.islower() or (before.isupper() and after.islower())):
            out += " "
        out += char
    return out[:1].upper() + out[1:]


def generic(doc: Doc) -> str:
    """Every field, its name spread into words."""
    metadata = doc["metadata"]
    out = (
        d.line(0, f"Name:\t{metadata['name']}") + d.line(0, f"Namespace:\t{metadata.get('namespace', '')}") + pairs(doc)
    )
    out += d.line(0, f"API Version:\t{doc.get('apiVersion', '')}") + d.line(0, f"Kind:\t{doc.get('kind', '')}")
    hidden = ("name", "namespace", "labels", "annotations", "managedFields")
    rest = {key: value for key, value in metadata.items() if key not in hidden}
    out += d.line(0, "Metadata:") + _fields(rest, 1)
    return out + _fields({key: value for key, value in doc.items() if key not in ("apiVersion", "kind", "metadata")}, 0)


def _fields(value: Doc, level: int) -> str:
    out = ""
    for key in sorted(value):
        each = value[key]
        if isinstance(each, dict):
            out += d.line(level, f"{_title(key)}:") + _fields(each, level + 1)
        elif isinstance(each, list):
            out += d.line(level, f"{_title(key)}:")
            out += "".join(
                _fields(item, level + 1) if isinstance(item, dict) else d.line(level + 1, str(item)) for item in each
            )
        else:
            shown = "true" if each is True else "false" if each is False else "<nil>" if each is None else str(each)
            out += d.line(level, f"{_title(key)}:\t{shown}")
    return out
