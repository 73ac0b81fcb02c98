"""The arithmetic of a rolling update: how many Pods may be added or missing, and which ReplicaSet gets how many.

Upstream: kubernetes pkg/controller/deployment/util/deployment_util.go.
"""

from typing import Any

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import annotations_of, labels_of, spec_of, status_of

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
HASH = "pod-template-hash"

_NOT_COPIED = (LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED, MAX, "deprecated.deployment.rollback.to")


def scaled(value: Any, total: int, round_up: bool) -> int:
    """An int-or-percent of ``total`` (intstr.GetScaledValueFromIntOrPercent). ValueError if it is neither."""
    if isinstance(value, int):
        return value
    text = str(value)
    if not text.endswith("%"):
        raise ValueError(f"invalid value for IntOrString: {text}")
    percent = int(text[:-1]) * total
    return -(-percent // 100) if round_up else percent // 100


def fenceposts(deployment: Doc) -> tuple[int, int]:
    """``(maxSurge, maxUnavailable)`` in Pods; never both 0 (ResolveFenceposts). (0, 0) when it recreates."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, 0
    rolling = strategy.get("rollingUpdate") or {}
    total = replicas_of(deployment)
    surge = scaled(rolling.get("maxSurge", "25%"), total, True)
    unavailable = scaled(rolling.get("maxUnavailable", "25%"), total, False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, total) if total else unavailable


def max_unavailable(deployment: Doc) -> int:
    """How many may be missing; 0 for Recreate and for no replicas."""
    if recreates(deployment) or replicas_of(deployment) == 0:
        return 0
    return min(fenceposts(deployment)[1], replicas_of(deployment))


def recreates(deployment: Doc) -> bool:
    """Strategy Recreate."""
    return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"


def replicas_of(doc: Doc) -> int:
    """spec.replicas; 1 when it isn't said."""
    value = spec_of(doc).get("replicas")
    return 1 if value is None else value


def same_template(a: Doc, b: Doc) -> bool:
    """Equal but for the pod-template-hash label (EqualIgnoreHash)."""
    return a.get("spec") == b.get("spec") and _plain_meta(a) == _plain_meta(b)


def _plain_meta(template: Doc) -> Doc:
    meta = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH}
    return {**meta, "labels": labels}


def revision_of(doc: Doc) -> int:
    """The revision annotation; 0 if there is none or it is no number."""
    text = annotations_of(doc).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def rs_annotations(deployment: Doc, rs: Doc | None, revision: int) -> dict[str, str]:
    """The annotations of the new ReplicaSet (SetNewReplicaSetAnnotations): the Deployment's, with the revision."""
    old = annotations_of(rs) if rs is not None else {}
    new = dict(old)
    for key, value in annotations_of(deployment).items():
        if key not in _NOT_COPIED:
            new[key] = value
    before = int(old[REVISION]) if old.get(REVISION, "").isdigit() else 0
    if before < revision:
        new[REVISION] = str(revision)
        if rs is not None and before:
            history = [entry for entry in old.get(REVISION_HISTORY, "").split(",") if entry]
            new[REVISION_HISTORY] = ",".join([*history, str(before)])
    if rs is None:
        new.update(replica_annotations(deployment))
    return new


def replica_annotations(deployment: Doc) -> dict[str, str]:
    """What the Deployment wanted when it last scaled the ReplicaSet: seen again, it tells a scaling event."""
    total = replicas_of(deployment)
    return {DESIRED: str(total), MAX: str(total + fenceposts(deployment)[0])}


def new_rs_size(deployment: Doc, size: int, current_total: int) -> int:
    """How big the new ReplicaSet may be now (NewRSNewReplicas); ``current_total`` counts all ReplicaSets' replicas."""
    wanted = replicas_of(deployment)
    if recreates(deployment):
        return wanted
    most = wanted + fenceposts(deployment)[0]
    if current_total >= most:
        return size
    return size + min(most - current_total, wanted - size)


def scale_down_old(deployment: Doc, new_rs: Doc | None, old: list[Doc], everything: list[Doc]) -> dict[str, int]:
    """Name → new size of the old ReplicaSets that may shrink now, the oldest and the unhealthy first."""
    total = sum(replicas_of(rs) for rs in everything)
    least = replicas_of(deployment) - max_unavailable(deployment)
    unavailable = 0
    if new_rs is not None:
        unavailable = replicas_of(new_rs) - status_of(new_rs).get("availableReplicas", 0)
    budget = total - least - unavailable
    if budget <= 0:
        return {}
    sizes = {rs["metadata"]["name"]: replicas_of(rs) for rs in old}
    changed: dict[str, int] = {}
    spent = 0
    for rs in old:  # Pods that don't work are no loss
        name, size = rs["metadata"]["name"], replicas_of(rs)
        step = min(budget - spent, size - status_of(rs).get("availableReplicas", 0))
        if size and step > 0:
            spent += step
            changed[name] = sizes[name] = size - step
    available = sum(status_of(rs).get("availableReplicas", 0) for rs in everything)
    budget, spent = available - least, 0
    for rs in old:
        name = rs["metadata"]["name"]
        step = min(sizes[name], budget - spent)
        if step > 0:
            spent += step
            changed[name] = sizes[name] = sizes[name] - step
    return changed


def proportional(deployment: Doc, active: list[Doc]) -> dict[str, int]:
    """Name → new size when the Deployment was scaled in the middle of a rollout: each gets its share."""
    wanted = replicas_of(deployment)
    allowed = wanted + fenceposts(deployment)[0] if wanted > 0 else 0
    to_add = allowed - sum(replicas_of(rs) for rs in active)
    newest_first = sorted(active, key=lambda rs: rs["metadata"].get("creationTimestamp") or "", reverse=to_add > 0)
    ordered = sorted(newest_first, key=replicas_of, reverse=True)
    sizes: dict[str, int] = {}
    added = 0
    for rs in ordered:
        size = replicas_of(rs)
        if to_add:
            share = _share(deployment, rs, to_add, added)
            added += share
            size += share
        sizes[rs["metadata"]["name"]] = size
    if ordered and to_add:
        first = ordered[0]["metadata"]["name"]
        sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _share(deployment: Doc, rs: Doc, to_add: int, added: int) -> int:
    size = replicas_of(rs)
    if size == 0 or to_add == added:
        return 0
    if replicas_of(deployment) == 0:
        fraction = -size
    else:
        total = replicas_of(deployment) + fenceposts(deployment)[0]
        text = annotations_of(rs).get(MAX, "")
        annotated = int(text) if text.isdigit() and int(text) else status_of(deployment).get("replicas", 0)
        fraction = (round(size * total / annotated) if annotated else size) - size
    left = to_add - added
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def hash_of(rs: Doc) -> str:
    """Its pod-template-hash."""
    return labels_of(rs).get(HASH, "")
