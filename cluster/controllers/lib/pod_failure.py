"""A Job's pod failure policy: what a failed Pod means, by the exit codes of its containers or by its conditions.

In → the policy's rules and a failed Pod; out → the action of the first rule that matches (``FailJob``, ``Ignore``, ``Count``) and
the sentence that explains it; ``("Count", "")`` when none does.

Simplified here: ``FailIndex`` counts as a failure, since there is no back-off limit per index.

Upstream: kubernetes pkg/controller/job/pod_failure_policy.go.
"""

from typing import Any

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import status_of


def action_of(policy: Doc | None, pod: Doc) -> tuple[str, str]:
    """``(action, message)`` for a failed Pod."""
    for number, rule in enumerate((policy or {}).get("rules") or ()):
        why = _by_exit_codes(rule.get("onExitCodes"), pod) or _by_conditions(rule.get("onPodConditions") or (), pod)
        if why:
            return rule["action"], f"{why} matching {rule['action']} rule at index {number}"
    return "Count", ""


def _by_exit_codes(wanted: Doc | None, pod: Doc) -> str:
    if wanted is None:
        return ""
    status, meta = status_of(pod), pod["metadata"]
    for container in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode", 0)
        if not code or wanted.get("containerName") not in (None, container["name"]):
            continue
        if (code in wanted["values"]) == (wanted["operator"] == "In"):
            return (
                f"Container {container['name']} for pod {meta['namespace']}/{meta['name']} failed with exit code {code}"
            )
    return ""


def _by_conditions(wanted: Any, pod: Doc) -> str:
    meta = pod["metadata"]
    for pattern in wanted:
        for condition in status_of(pod).get("conditions") or ():
            if (condition["type"], condition["status"]) == (pattern["type"], pattern.get("status", "True")):
                return f"Pod {meta['namespace']}/{meta['name']} has condition {condition['type']}"
    return ""
