"""PodDisruptionBudgets: how many Pods may be evicted right now.

In → a budget and the Pods it selects; out → its status: expected, healthy, desired, and ``disruptionsAllowed``, which the
eviction subresource counts down.

With an absolute ``minAvailable`` the expected Pods are those that exist; with a percentage or ``maxUnavailable`` they are what the
controllers of the Pods want (``replicas`` of Deployment, ReplicaSet, StatefulSet).

Simplified here: other owners' scale subresources aren't asked; a stale ``disruptedPods`` entry is dropped after 2 minutes.

Upstream: kubernetes pkg/controller/disruption/disruption.go.
"""

from cluster.api import selectors
from cluster.clientgo import Doc, controller_of
from cluster.controllers.lib.meta import deleting, labels_of, path, set_condition, since, spec_of, status_of
from cluster.controllers.lib.pods import is_ready, phase
from cluster.controllers.lib.rollout import replicas_of, scaled
from cluster.controllers.runtime import Controller
from cluster.sim import MINUTE, Outbox

DISRUPTED_TIMEOUT = 2 * MINUTE


class DisruptionController(Controller):
    """Keys are ``namespace/name`` of PodDisruptionBudgets."""

    name = "disruption"
    user = "disruption-controller"
    watches = ("poddisruptionbudgets", "pods", "replicasets", "deployments", "statefulsets")

    def on_poddisruptionbudgets(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        budgets = self.store("poddisruptionbudgets").by("namespace", new["metadata"]["namespace"])
        for budget in budgets:
            if self._matches(budget, new):
                self.enqueue(out, f"{new['metadata']['namespace']}/{budget['metadata']['name']}")

    @staticmethod
    def _matches(budget: Doc, pod: Doc) -> bool:
        struct = spec_of(budget).get("selector")
        return struct is not None and selectors.from_struct(struct).matches(labels_of(pod))

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        budget = self.store("poddisruptionbudgets").get(key)
        if budget is None or deleting(budget):
            return
        meta, spec = budget["metadata"], spec_of(budget)
        pods = [p for p in self.store("pods").by("namespace", meta["namespace"])
                if phase(p) not in ("Succeeded", "Failed") and self._matches(budget, p)]  # fmt: skip
        minimum, maximum = spec.get("minAvailable"), spec.get("maxUnavailable")
        if maximum is not None:
            expected = self._wanted(pods)
            desired = max(0, expected - scaled(maximum, expected, True))
        elif isinstance(minimum, str):
            expected = self._wanted(pods)
            desired = scaled(minimum, expected, True)
        else:
            expected, desired = len(pods), minimum or 0
        disrupted = self._disrupted(budget, pods, now)
        healthy = sum(is_ready(p) and not deleting(p) and p["metadata"]["name"] not in disrupted for p in pods)
        allowed = max(0, healthy - desired) if expected > 0 else 0
        self._write(budget, {
            "disruptedPods": disrupted, "disruptionsAllowed": allowed, "currentHealthy": healthy,
            "desiredHealthy": desired, "expectedPods": expected,
        }, now, out)  # fmt: skip

    def _wanted(self, pods: list[Doc]) -> int:
        """What the Pods' controllers want, each counted once."""
        sizes: dict[str, int] = {}
        for pod in pods:
            owner = controller_of(pod)
            if owner is None:
                sizes[pod["metadata"]["uid"]] = 1
                continue
            store = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets"}.get(owner["kind"])
            found = self.store(store).find(pod["metadata"]["namespace"], owner["name"]) if store else None
            above = controller_of(found) if found is not None else None
            if above is not None and above["kind"] == "Deployment":
                deployment = self.store("deployments").find(pod["metadata"]["namespace"], above["name"])
                if deployment is not None:
                    found = deployment
            if found is not None:
                sizes[found["metadata"]["uid"]] = replicas_of(found)
        return sum(sizes.values())

    def _disrupted(self, budget: Doc, pods: list[Doc], now: int) -> dict[str, str]:
        """Pods whose eviction was granted and which aren't seen to be going yet."""
        alive = {pod["metadata"]["name"] for pod in pods if not deleting(pod)}
        known: dict[str, str] = status_of(budget).get("disruptedPods") or {}
        return {
            name: stamp for name, stamp in known.items()
            if name in alive and since(stamp, self.config.epoch) + DISRUPTED_TIMEOUT > now
        }  # fmt: skip

    def _write(self, budget: Doc, status: Doc, now: int, out: Outbox) -> None:
        meta, allowed = budget["metadata"], status["disruptionsAllowed"] > 0
        if not status["disruptedPods"]:
            del status["disruptedPods"]
        status["observedGeneration"] = meta.get("generation", 0)
        new = {
            "type": "DisruptionAllowed", "status": "True" if allowed else "False", "lastTransitionTime": self.stamp(now),
            "reason": "SufficientPods" if allowed else "InsufficientPods", "message": "",
            "observedGeneration": status["observedGeneration"],
        }  # fmt: skip
        status["conditions"] = set_condition(status_of(budget).get("conditions") or [], new)
        if status == status_of(budget):
            return
        doc = {"kind": "PodDisruptionBudget", "apiVersion": "policy/v1", **budget, "status": status}
        self.request(
            out, "PUT", path("policy/v1", "poddisruptionbudgets", meta["namespace"], meta["name"], "status"), doc=doc
        )
