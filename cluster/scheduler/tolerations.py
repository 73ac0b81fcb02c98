"""Whether a toleration covers a taint (k8s.io/api/core/v1 Toleration.ToleratesTaint)."""

from cluster.clientgo import Doc


def tolerates(toleration: Doc, taint: Doc) -> bool:
    """An empty effect matches all effects, an empty key with Exists all taints."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")
