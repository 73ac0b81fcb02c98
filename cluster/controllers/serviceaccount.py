"""ServiceAccounts: every active namespace has one called ``default``.

In → Namespaces and ServiceAccounts; out → ``default`` wherever it is missing.

Upstream: kubernetes pkg/controller/serviceaccount/serviceaccounts_controller.go.
"""

from cluster.clientgo import Doc, message_of, reason_of
from cluster.controllers.lib.meta import deleting, path
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox
from cluster.wire.http import HttpResponse


class ServiceAccountController(Controller):
    """Keys are names of Namespaces."""

    name = "serviceaccount"
    user = "service-account-controller"
    watches = ("namespaces", "serviceaccounts")

    def on_namespaces(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type != "DELETED":
            self.enqueue(out, new["metadata"]["name"])

    def on_serviceaccounts(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "DELETED" and new["metadata"]["name"] == "default":
            self.enqueue(out, new["metadata"]["namespace"])

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        namespace = self.store("namespaces").get(key)
        if namespace is None or deleting(namespace) or self.store("serviceaccounts").find(key, "default") is not None:
            return
        doc = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default", "namespace": key}}
        self.request(out, "POST", path("v1", "serviceaccounts", key), doc=doc, then="created")

    def created(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """There already, or its namespace is going: both are fine."""
        if (
            response.code != 201
            and reason_of(response) != "AlreadyExists"
            and ("being terminated" not in message_of(response) and response.code != 404)
        ):
            self.failed()
