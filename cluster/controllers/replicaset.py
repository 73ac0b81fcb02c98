"""ReplicaSet: as many Pods as asked for, no more and no fewer.

In → a ReplicaSet and the Pods it owns; out → Pods created in batches of 1, 2, 4 … (so that a refusal costs one request, not
five hundred) or the least useful ones deleted; status. Pods without owner that match its selector are adopted; owned ones
that no longer match are let go. Expectations keep it from counting before its informer has seen what it did.

Simplified here: no TerminatingReplicas (alpha).

Upstream: kubernetes pkg/controller/replicaset/{replica_set,replica_set_utils}.go.
"""

from cluster.clientgo import Doc
from cluster.controllers.lib.replicas import ReplicaControl
from cluster.sim import Outbox


class ReplicaSetController(ReplicaControl):
    """Keys are ``namespace/name`` of ReplicaSets."""

    name = "replicaset"
    user = "replicaset-controller"
    watches = ("replicasets", "pods")
    resource = "replicasets"
    owner_kind = "ReplicaSet"
    api_version = "apps/v1"

    def on_replicasets(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self.on_owner(event_type, old, new, now, out)
