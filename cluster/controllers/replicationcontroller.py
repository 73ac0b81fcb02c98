"""ReplicationController: the ReplicaSet's ancestor, with a plain map for a selector.

In → a ReplicationController and its Pods; out → as many Pods as asked for; status.

Upstream: kubernetes pkg/controller/replication/replication_controller.go (which adapts the ReplicaSet's code likewise).
"""

from cluster.clientgo import Doc
from cluster.controllers.lib.replicas import ReplicaControl
from cluster.sim import Outbox


class ReplicationControllerController(ReplicaControl):
    """Keys are ``namespace/name`` of ReplicationControllers."""

    name = "replicationcontroller"
    user = "replication-controller"
    watches = ("replicationcontrollers", "pods")
    resource = "replicationcontrollers"
    owner_kind = "ReplicationController"
    api_version = "v1"

    def selector_of(self, rs: Doc) -> Doc:
        return {"matchLabels": rs["spec"].get("selector") or {}}

    def on_replicationcontrollers(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self.on_owner(event_type, old, new, now, out)
