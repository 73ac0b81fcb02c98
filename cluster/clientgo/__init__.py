"""client-go: what every client of the apiserver shares. Nobody but the apiserver is ever spoken to through it.

How a component is written::

    class KubeProxy(ApiClient):
        kind = "kube-proxy"

        def fresh(self): return ProxyState()                  # class ProxyState(ClientState): fields with defaults

        def boot(self, disk, now, out):
            super().boot(disk, now, out)
            self.watch_resource(out, "services", "/api/v1/services")

        def on_services(self, event_type, old, new, now, out):  # ADDED MODIFIED DELETED
            self.enqueue(out, "", key_of(new))                  # a key, with the cause of the event

        def reconcile(self, key, now, out):                     # out.cause is that cause again
            doc = self.store("services").get(key)
            self.request(out, "PUT", path, doc=new, then="written", args=(key,))

        def written(self, response, key, now, out): …          # response.code 0: no answer

``config`` extends ``ClientConfig`` (epoch, server, peer). See the layers' files for the rest.
"""

from cluster.clientgo.client import ApiClient
from cluster.clientgo.recorder import reference_to
from cluster.clientgo.state import ClientState, Expectation
from cluster.clientgo.store import Doc, Store, controller_of, key_of, split_key
from cluster.clientgo.transport import ClientConfig, message_of, no_answer, reason_of

__all__ = [
    "ApiClient",
    "ClientConfig",
    "ClientState",
    "Doc",
    "Expectation",
    "Store",
    "controller_of",
    "key_of",
    "message_of",
    "no_answer",
    "reason_of",
    "reference_to",
    "split_key",
]
