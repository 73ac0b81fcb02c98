"""The root CA publisher: every namespace has a ConfigMap ``kube-root-ca.crt``, so that Pods can trust the apiserver.

In → Namespaces and those ConfigMaps; out → the ConfigMap where it is missing or was changed.

Upstream: kubernetes pkg/controller/certificates/rootcacertpublisher/publisher.go.
"""

from cluster.clientgo import Doc, message_of, reason_of
from cluster.controllers.lib.meta import annotations_of, deleting, path
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox
from cluster.wire.http import HttpResponse

NAME = "kube-root-ca.crt"
DESCRIPTION = "kubernetes.io/description"
TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class RootCaPublisher(Controller):
    """Keys are names of Namespaces."""

    name = "root-ca-certificate-publisher"
    user = "root-ca-cert-publisher"
    watches = ("namespaces", "configmaps")

    def on_namespaces(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type != "DELETED":
            self.enqueue(out, new["metadata"]["name"])

    def on_configmaps(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if new["metadata"]["name"] == NAME and event_type != "ADDED":
            self.enqueue(out, new["metadata"]["namespace"])

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        namespace = self.store("namespaces").get(key)
        if namespace is None or deleting(namespace):
            return
        known = self.store("configmaps").find(key, NAME)
        data = {"ca.crt": self.config.ca_pem.decode()}
        doc: Doc = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": NAME, "namespace": key}}
        if known is None:
            doc = {**doc, "metadata": {**doc["metadata"], "annotations": {DESCRIPTION: TEXT}}, "data": data}
            self.request(out, "POST", path("v1", "configmaps", key), doc=doc, then="created")
        elif known.get("data") != data or annotations_of(known).get(DESCRIPTION) != TEXT:
            meta = {**known["metadata"], "annotations": {**annotations_of(known), DESCRIPTION: TEXT}}
            self.request(out, "PUT", path("v1", "configmaps", key, NAME), doc={**doc, "metadata": meta, "data": data})

    def created(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """There already, or its namespace is going: both are fine."""
        if (
            response.code != 201
            and reason_of(response) != "AlreadyExists"
            and ("being terminated" not in message_of(response) and response.code != 404)
        ):
            self.failed()
