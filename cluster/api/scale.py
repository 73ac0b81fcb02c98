"""The ``scale`` subresource: any scalable object seen as ``autoscaling/v1 Scale``, and back.

In → an object and its Resource; out → a Scale document, or the object with another number of replicas.

Simplified here: nothing.

Upstream: pkg/registry/apps/*/storage (ScaleREST), apiextensions-apiserver scale codec.
"""

from typing import Any

from cluster.api import field, selectors, status
from cluster.api.scheme import Resource

Doc = dict[str, Any]


def _get(doc: Doc, path: str) -> Any:
    value: Any = doc
    for part in path.removeprefix(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _set(doc: Doc, path: list[str], value: Any) -> Doc:
    head, *rest = path
    return {**doc, head: _set(doc.get(head) or {}, rest, value) if rest else value}


def _paths(resource: Resource) -> tuple[str, str, str]:
    """Where (spec replicas, status replicas, label selector text) are; built-in selectors are structs."""
    if resource.crd is None:
        return ".spec.replicas", ".status.replicas", ""
    for version in resource.crd["spec"]["versions"]:
        if version["name"] == resource.version:
            declared = (version.get("subresources") or {}).get("scale") or {}
            return (
                declared.get("specReplicasPath", ""),
                declared.get("statusReplicasPath", ""),
                declared.get("labelSelectorPath", ""),
            )
    return "", "", ""


def scale_of(doc: Doc, resource: Resource) -> Doc:
    """The Scale that ``GET …/scale`` answers."""
    metadata = doc.get("metadata", {})
    shown = {
        name: metadata[name]
        for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if metadata.get(name)
    }
    wanted, actual, selector_path = _paths(resource)
    if resource.crd is not None and _get(doc, wanted) is None:
        raise status.internal_error(f"the spec replicas field {field.quote(wanted)} does not exist")
    replicas = _get(doc, wanted) or 0
    state: Doc = {"replicas": _get(doc, actual) or 0}
    if resource.crd is not None:
        selector = _get(doc, selector_path) if selector_path else ""
    elif resource.kind == "ReplicationController":
        selector = selectors.from_map((doc.get("spec") or {}).get("selector")).text()
    else:
        selector = selectors.from_struct((doc.get("spec") or {}).get("selector")).text()
    if selector:
        state["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": shown,
        "spec": {"replicas": replicas} if replicas else {},
        "status": state,
    }


def with_scale(doc: Doc, scale: Doc, resource: Resource) -> Doc:
    """``doc`` with the replicas that ``scale`` wants. ApiError 422 for a negative number."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        error = field.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise status.invalid("autoscaling", "Scale", (scale.get("metadata") or {}).get("name", ""), [error])
    wanted, _, _ = _paths(resource)
    out = _set(doc, wanted.removeprefix(".").split("."), replicas)
    revision = (scale.get("metadata") or {}).get("resourceVersion")
    if revision:
        out = {**out, "metadata": {**out["metadata"], "resourceVersion": revision}}
    return out
