"""LimitRanger: a namespace's LimitRanges give containers default requests and limits, and bound what they may ask for.

Upstream: plugin/pkg/admission/limitranger/admission.go (v1.32).
"""

from typing import Any

from cluster.api import quantity, status
from cluster.apiserver.admission import Attributes, Context

NAME = "LimitRanger"
MUTATES, VALIDATES = True, True
RESOURCES = ("pods", "persistentvolumeclaims")
ANNOTATION = "kubernetes.io/limit-ranger"
Doc = dict[str, Any]


def handles(attributes: Attributes) -> bool:
    """New pods and claims."""
    return attributes.concerns("pods", "CREATE") or attributes.concerns("persistentvolumeclaims", "CREATE", "UPDATE")


def mutate(attributes: Attributes, ctx: Context) -> tuple[Doc, str]:
    """Defaults for containers that say nothing."""
    ranges = ctx.view.list("limitranges", attributes.namespace)
    if not ranges or attributes.group_resource != "pods":
        return attributes.doc, "Only pods get defaults" if ranges else "The namespace has no LimitRange"
    pod, said = attributes.doc, []
    for limit_range in ranges:
        requests, limits = _defaults(limit_range)
        if not (requests or limits):
            continue
        spec, notes = dict(pod["spec"]), []
        for kind in ("containers", "initContainers"):
            if spec.get(kind):
                spec[kind] = [_fill(container, kind, requests, limits, notes) for container in spec[kind]]
        if notes:
            said += notes
            pod = {**pod, "spec": spec}
    if not said:
        return pod, "Every container says what it needs"
    meta = pod["metadata"]
    text = f"LimitRanger plugin set: {'; '.join(said)}"
    annotations = {**(meta.get("annotations") or {}), ANNOTATION: text}
    return {**pod, "metadata": _with_annotations(meta, annotations)}, text


def _with_annotations(meta: Doc, annotations: Doc) -> Doc:
    out: Doc = {}
    for key, value in meta.items():
        if key in ("ownerReferences", "finalizers", "managedFields") and "annotations" not in out:
            out["annotations"] = annotations
        if key != "annotations":
            out[key] = value
    out["annotations"] = annotations
    return out


def _defaults(limit_range: Doc) -> tuple[Doc, Doc]:
    requests: Doc = {}
    limits: Doc = {}
    for item in limit_range["spec"].get("limits") or ():
        if item["type"] == "Container":
            requests |= item.get("defaultRequest") or {}
            limits |= item.get("default") or {}
    return requests, limits


def _fill(container: Doc, kind: str, requests: Doc, limits: Doc, notes: list[str]) -> Doc:
    resources = container.get("resources") or {}
    asked, bound = dict(resources.get("requests") or {}), dict(resources.get("limits") or {})
    set_requests = [name for name in requests if name not in asked and name not in bound]
    set_limits = [name for name in limits if name not in bound]
    asked |= {name: requests[name] for name in set_requests}
    bound |= {name: limits[name] for name in set_limits}
    if not (set_requests or set_limits):
        return container
    what = "container" if kind == "containers" else "init container"
    for names, side in ((set_requests, "request"), (set_limits, "limit")):
        if names:
            notes.append(f"{', '.join(sorted(names))} {side} for {what} {container['name']}")
    filled: Doc = {}
    if bound:
        filled["limits"] = dict(sorted(bound.items()))
    if asked:
        filled["requests"] = dict(sorted(asked.items()))
    filled |= {key: value for key, value in resources.items() if key not in ("limits", "requests")}
    return {**container, "resources": filled}


def validate(attributes: Attributes, ctx: Context) -> str:
    """Nothing below a minimum, above a maximum, or with limits too far from requests."""
    ranges = ctx.view.list("limitranges", attributes.namespace)
    errors: list[str] = []
    for limit_range in ranges:
        for item in limit_range["spec"].get("limits") or ():
            errors += _check(item, attributes)
    if errors:
        text = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
        raise status.forbidden(attributes.group_resource, attributes.doc["metadata"].get("name", ""), text)
    return "Within the namespace's LimitRanges" if ranges else "The namespace has no LimitRange"


def _check(item: Doc, attributes: Attributes) -> list[str]:
    kind, spec = item["type"], attributes.doc["spec"]
    if attributes.group_resource == "persistentvolumeclaims":
        if kind != "PersistentVolumeClaim":
            return []
        asked = (spec.get("resources") or {}).get("requests") or {}
        return _bounds(item, kind, asked, asked)
    if kind == "Container":
        found = []
        for container in [*spec["containers"], *(spec.get("initContainers") or ())]:
            resources = container.get("resources") or {}
            found += _bounds(item, kind, resources.get("requests") or {}, resources.get("limits") or {})
        return found
    if kind == "Pod":
        return _bounds(item, kind, _total(spec, "requests"), _total(spec, "limits"))
    return []


def _total(spec: Doc, side: str) -> Doc:
    lists = [quantity.resource_list((c.get("resources") or {}).get(side)) for c in spec["containers"]]
    return quantity.document(quantity.total(*lists))


def _bounds(item: Doc, kind: str, requests: Doc, limits: Doc) -> list[str]:
    found: list[str] = []
    for name, least in sorted((item.get("min") or {}).items()):
        asked, bound = requests.get(name), limits.get(name)
        if asked is None:
            found.append(f"minimum {name} usage per {kind} is {least}.  No request is specified")
        elif quantity.parse(asked) < quantity.parse(least):
            found.append(f"minimum {name} usage per {kind} is {least}, but request is {asked}")
        elif bound is not None and quantity.parse(bound) < quantity.parse(least):
            found.append(f"minimum {name} usage per {kind} is {least}, but limit is {bound}")
    for name, most in sorted((item.get("max") or {}).items()):
        asked, bound = requests.get(name), limits.get(name)
        if bound is None:
            found.append(f"maximum {name} usage per {kind} is {most}.  No limit is specified")
        elif quantity.parse(bound) > quantity.parse(most):
            found.append(f"maximum {name} usage per {kind} is {most}, but limit is {bound}")
        elif asked is not None and quantity.parse(asked) > quantity.parse(most):
            found.append(f"maximum {name} usage per {kind} is {most}, but request is {asked}")
    for name, ratio in sorted((item.get("maxLimitRequestRatio") or {}).items()):
        asked, bound = requests.get(name), limits.get(name)
        if not asked or not bound:
            missing = "No limit is specified" if not bound else "No request is specified"
            found.append(f"{name} max limit to request ratio per {kind} is {ratio}, but {missing}")
        elif (
            quantity.parse(asked).milli()
            and quantity.parse(bound).milli() > quantity.parse(ratio).milli() * quantity.parse(asked).milli() // 1000
        ):
            shown = quantity.parse(bound).milli() / quantity.parse(asked).milli()
            found.append(f"{name} max limit to request ratio per {kind} is {ratio}, but provided ratio is {shown:.6f}")
    return found
