"""DefaultTolerationSeconds: a pod stays five minutes on a node that is not ready or unreachable, unless it says otherwise.

Upstream: plugin/pkg/admission/defaulttolerationseconds/admission.go (v1.32).
"""

from typing import Any

from cluster.apiserver.admission import Attributes, Context

NAME = "DefaultTolerationSeconds"
MUTATES, VALIDATES = True, False
RESOURCES = ("pods",)
SECONDS = 300
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_AFTER = ("hostAliases", "priorityClassName", "priority", "dnsConfig", "readinessGates", "runtimeClassName",
          "enableServiceLinks", "preemptionPolicy", "overhead", "topologySpreadConstraints")  # fmt: skip


def handles(attributes: Attributes) -> bool:
    """New and changed pods."""
    return attributes.concerns("pods", "CREATE", "UPDATE")


def mutate(attributes: Attributes, ctx: Context) -> tuple[Any, str]:
    """Add the two tolerations where they are missing."""
    pod = attributes.doc
    tolerations = pod["spec"].get("tolerations") or []
    missing = [
        taint
        for taint in _TAINTS
        if not any(
            t.get("key") in (None, "", taint) and t.get("effect") in (None, "", "NoExecute") for t in tolerations
        )
    ]
    if not missing:
        return pod, "It tolerates both already"
    added = [
        {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS} for taint in missing
    ]
    spec: dict[str, Any] = {}
    for key, value in pod["spec"].items():
        if key in _AFTER and "tolerations" not in spec:
            spec["tolerations"] = [*tolerations, *added]
        if key != "tolerations":
            spec[key] = value
    spec["tolerations"] = [*tolerations, *added]
    return {**pod, "spec": spec}, f"It tolerates {' and '.join(t.rpartition('/')[2] for t in missing)} for {SECONDS} s"
