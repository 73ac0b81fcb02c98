"""Taints and tolerations (k8s.io/api/core/v1 Toleration.ToleratesTaint)."""

from cluster.clientgo import Doc


def tolerates(toleration: Doc, taint: Doc) -> bool:
    """An empty effect matches all effects, an empty key with Exists all taints."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def untolerated(taints: list[Doc], tolerations: list[Doc], effects: tuple[str, ...]) -> Doc | None:
    """The first taint with one of ``effects`` that none of ``tolerations`` covers."""
    for taint in taints:
        if taint["effect"] in effects and not any(tolerates(toleration, taint) for toleration in tolerations):
            return taint
    return None
