"""The first lines of every description."""

from typing import Any

from cluster.shell.commands.kubectl import describing as d

Doc = dict[str, Any]


def head(doc: Doc, *, namespace: bool = True) -> str:
    """Name and namespace."""
    metadata = doc["metadata"]
    out = d.line(0, f"Name:\t{metadata['name']}")
    return out + (d.line(0, f"Namespace:\t{metadata.get('namespace', '')}") if namespace else "")


def pairs(doc: Doc) -> str:
    """Labels and annotations."""
    return d.labels(doc["metadata"].get("labels")) + d.annotations(doc["metadata"].get("annotations"))


def controller(doc: Doc) -> str:
    """Who owns it, if a controller does."""
    for owner in doc["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return d.line(0, f"Controlled By:\t{owner['kind']}/{owner['name']}")
    return ""
