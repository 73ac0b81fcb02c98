"""ClusterRole aggregation: a ClusterRole with an aggregationRule has the rules of all ClusterRoles that its selectors match.

In → ClusterRoles (``admin``, ``edit`` and ``view`` are made so); out → their ``rules``, rewritten when a matching role changes.

Simplified here: written by an update, where upstream uses server-side apply.

Upstream: kubernetes pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go.
"""

from cluster.api import selectors
from cluster.clientgo import Doc
from cluster.controllers.lib.meta import labels_of, path
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox


class ClusterRoleAggregationController(Controller):
    """Keys are names of ClusterRoles with an aggregationRule."""

    name = "clusterrole-aggregation"
    user = "clusterrole-aggregation-controller"
    watches = ("clusterroles",)

    def on_clusterroles(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if not labels_of(new) and not new.get("aggregationRule") and not (old is not None and labels_of(old)):
            return
        for role in self.store("clusterroles"):
            if role.get("aggregationRule"):
                self.enqueue(out, role["metadata"]["name"])

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        role = self.store("clusterroles").get(key)
        if role is None or not role.get("aggregationRule"):
            return
        rules: list[Doc] = []
        others = sorted(self.store("clusterroles"), key=lambda other: other["metadata"]["name"])
        for struct in role["aggregationRule"].get("clusterRoleSelectors") or ():
            selector = selectors.from_struct(struct)
            for other in others:
                if other["metadata"]["name"] == key or not selector.matches(labels_of(other)):
                    continue
                rules.extend(rule for rule in other.get("rules") or () if rule not in rules)
        if rules == (role.get("rules") or []):
            return
        doc = {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", **role, "rules": rules}
        self.request(out, "PUT", path("rbac.authorization.k8s.io/v1", "clusterroles", "", key), doc=doc)
