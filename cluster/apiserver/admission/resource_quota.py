"""ResourceQuota: a namespace may not use more than its quotas say.

``validate`` refuses what would exceed a quota; ``charges`` lists what must be booked, and ``book`` is the transform that books
it in a quota's status before the object is stored (checking again against the newest numbers). Giving back is
the quota controller's work.

Simplified here: only creations are charged, scopes are evaluated for pods only, and ``count/…`` and the classic object
counts, pod compute resources and PersistentVolumeClaim storage are known.

Upstream: plugin/pkg/admission/resourcequota, pkg/quota/v1/evaluator/core (v1.32).
"""

from typing import Any

from cluster.api import quantity, status
from cluster.apiserver.admission import Attributes, Context
from cluster.apiserver.storage import Change, transform

NAME = "ResourceQuota"
MUTATES, VALIDATES = False, True
_COUNTED = {
    "pods": "pods", "services": "services", "secrets": "secrets", "configmaps": "configmaps",
    "persistentvolumeclaims": "persistentvolumeclaims", "replicationcontrollers": "replicationcontrollers",
    "resourcequotas": "resourcequotas",
}  # fmt: skip
Doc = dict[str, Any]


def handles(attributes: Attributes) -> bool:
    """Creations inside namespaces."""
    return attributes.operation == "CREATE" and not attributes.subresource and bool(attributes.namespace)


def validate(attributes: Attributes, ctx: Context) -> str:
    """Would any quota be exceeded?"""
    touched = []
    for quota in _quotas(attributes, ctx):
        delta = _delta(quota, attributes)
        if delta:
            check(quota, delta, attributes.group_resource, attributes.doc["metadata"].get("name", ""))
            touched.append(quota["metadata"]["name"])
    return f"Within the quota {', '.join(touched)}" if touched else "No quota of the namespace counts this"


def charges(attributes: Attributes, ctx: Context) -> list[tuple[str, str, dict[str, str]]]:
    """``(namespace, quota, what to add)`` for each quota that counts this object."""
    if not handles(attributes):
        return []
    found = []
    for quota in _quotas(attributes, ctx):
        delta = _delta(quota, attributes)
        if delta:
            found.append((attributes.namespace, quota["metadata"]["name"], delta))
    return found


@transform
def book(server: Any, job: Any, out: Any, item: Any) -> Change:
    """Add ``job.data["delta"]`` to the used numbers of a quota. ApiError 403 when they no longer fit."""
    quota, delta = item.doc, job.data["delta"]
    check(quota, delta, job.resource.group_resource, job.doc["metadata"].get("name", ""))
    state = quota.get("status") or {}
    used = dict(state.get("used") or {})
    for name, amount in delta.items():
        used[name] = (quantity.parse(used.get(name, "0")) + quantity.parse(amount)).text()
    return Change("put", {**quota, "status": {**state, "used": used}})


def check(quota: Doc, delta: dict[str, str], group_resource: str, name: str) -> None:
    """ApiError 403 in the real words when ``delta`` doesn't fit under ``quota``'s hard limits."""
    state = quota.get("status") or {}
    hard, used = state.get("hard") or {}, state.get("used") or {}
    over = [
        key
        for key in sorted(delta)
        if key in hard and quantity.parse(hard[key]) < quantity.parse(used.get(key, "0")) + quantity.parse(delta[key])
    ]
    if over:
        asked = ",".join(f"{key}={delta[key]}" for key in over)
        taken = ",".join(f"{key}={used.get(key, '0')}" for key in over)
        limit = ",".join(f"{key}={hard[key]}" for key in over)
        text = f"exceeded quota: {quota['metadata']['name']}, requested: {asked}, used: {taken}, limited: {limit}"
        raise status.forbidden(group_resource, name, text)


def _quotas(attributes: Attributes, ctx: Context) -> list[Doc]:
    quotas = ctx.view.list("resourcequotas", attributes.namespace)
    if not quotas:
        return []
    return [quota for quota in quotas if _in_scope(quota, attributes)]


def _in_scope(quota: Doc, attributes: Attributes) -> bool:
    scopes = quota.get("spec", {}).get("scopes") or ()
    if not scopes:
        return True
    if attributes.group_resource != "pods":
        return False
    spec = attributes.doc["spec"]
    terminating = spec.get("activeDeadlineSeconds") is not None
    best_effort = not any(
        c.get("resources", {}).get("requests") or c.get("resources", {}).get("limits") for c in spec["containers"]
    )
    facts = {"Terminating": terminating, "NotTerminating": not terminating, "BestEffort": best_effort,
             "NotBestEffort": not best_effort}  # fmt: skip
    return all(facts.get(scope, True) for scope in scopes)


def _delta(quota: Doc, attributes: Attributes) -> dict[str, str]:
    usage = _usage(attributes)
    hard = (quota.get("status") or {}).get("hard") or {}
    missing = []
    if attributes.group_resource == "pods":
        wanted = [
            k for k in hard if k in ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
        ]
        missing = [key for key in sorted(wanted) if key not in usage]
    if missing:
        raise status.forbidden(
            "pods", attributes.doc["metadata"].get("name", ""),
            f"failed quota: {quota['metadata']['name']}: must specify {_must(attributes.doc, missing)}",
        )  # fmt: skip
    return {key: usage[key] for key in sorted(usage) if key in hard}


def _must(pod: Doc, missing: list[str]) -> str:
    names = ",".join(container["name"] for container in pod["spec"]["containers"])
    return "; ".join(f"{key} for: {names}" for key in missing)


def _usage(attributes: Attributes) -> dict[str, str]:
    resource = attributes.resource
    usage: dict[str, str] = {f"count/{resource.group_resource}": "1"}
    if not resource.group and resource.plural in _COUNTED:
        usage[_COUNTED[resource.plural]] = "1"
    spec = attributes.doc.get("spec") or {}
    if resource.group_resource == "pods":
        usage |= _pod_usage(spec)
    elif resource.group_resource == "services":
        if spec.get("type") in ("NodePort", "LoadBalancer"):
            usage["services.nodeports"] = str(len(spec.get("ports") or ()))
        if spec.get("type") == "LoadBalancer":
            usage["services.loadbalancers"] = "1"
    elif resource.group_resource == "persistentvolumeclaims":
        storage = spec.get("resources", {}).get("requests", {}).get("storage")
        if storage:
            usage["requests.storage"] = storage
    return usage


def _pod_usage(spec: Doc) -> dict[str, str]:
    totals: dict[str, Any] = {}
    for side in ("requests", "limits"):
        for name in ("cpu", "memory", "ephemeral-storage"):
            amounts = [
                quantity.parse(value)
                for container in spec["containers"]
                if (value := (container.get("resources", {}).get(side) or {}).get(name)) is not None
            ]
            if len(amounts) == len(spec["containers"]):
                total = amounts[0]
                for amount in amounts[1:]:
                    total = total + amount
                totals[f"{side}.{name}"] = total.text()
    usage = dict(totals)
    for name in ("cpu", "memory", "ephemeral-storage"):
        if f"requests.{name}" in totals:
            usage[name] = totals[f"requests.{name}"]
    return usage
