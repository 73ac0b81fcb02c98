"""ResourceQuota: counts what a namespace really uses.

In → ResourceQuotas and the objects they count; out → ``status.hard`` and ``status.used``. The admission plug-in adds on creation;
this controller finds the truth again when a quota changes or something it counts goes away, and every five minutes.

Counted: pods and their requests and limits (of Pods that aren't finished), configmaps, secrets, services (nodeports,
loadbalancers), persistentvolumeclaims, replicationcontrollers, resourcequotas, and ``count/<resource>.<group>`` of any kind
that is watched.

Simplified here: of the scopes Terminating, NotTerminating, BestEffort and NotBestEffort are understood; a quota with another
scope, and storage classes, count nothing here.

Upstream: kubernetes pkg/controller/resourcequota, pkg/quota/v1/evaluator/core.
"""

from cluster.api import quantity
from cluster.clientgo import Doc, Store
from cluster.controllers.lib.meta import deleting, path, spec_of, status_of
from cluster.controllers.lib.pods import phase
from cluster.controllers.runtime import RESOURCES, Controller
from cluster.sim import MINUTE, Outbox

RESYNC = 5 * MINUTE
_COUNTED = (
    "pods",
    "configmaps",
    "secrets",
    "services",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "resourcequotas",
)


class ResourceQuotaController(Controller):
    """Keys are ``namespace/name`` of ResourceQuotas."""

    name = "resourcequota"
    user = "resourcequota-controller"
    watches = ("resourcequotas", "pods", "configmaps", "secrets", "services", "persistentvolumeclaims")
    observes_all = True

    def on_anything(self, key: str, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if key == "resourcequotas":
            if event_type != "DELETED" and (old is None or old.get("spec") != new.get("spec")):
                self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")
            return
        finished = (
            key == "pods" and old is not None and phase(new) != phase(old) and phase(new) in ("Succeeded", "Failed")
        )
        if (event_type == "DELETED" or finished) and self._ready():
            for quota in self.store("resourcequotas").by("namespace", new["metadata"].get("namespace", "")):
                self.enqueue(out, f"{quota['metadata']['namespace']}/{quota['metadata']['name']}")

    def _ready(self) -> bool:
        return "resourcequotas" in self.manager.state.stores

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        quota = self.store("resourcequotas").get(key)
        if quota is None or deleting(quota):
            return
        self.enqueue(out, key, RESYNC)
        hard = spec_of(quota).get("hard") or {}
        used = {name: self._used(name, quota) for name in hard}
        known = {name: text for name, text in used.items() if text is not None}
        status = status_of(quota)
        if status.get("hard") == hard and status.get("used") == known:
            return
        meta = quota["metadata"]
        doc = {"kind": "ResourceQuota", "apiVersion": "v1", **quota, "status": {"hard": hard, "used": known}}
        self.request(out, "PUT", path("v1", "resourcequotas", meta["namespace"], meta["name"], "status"), doc=doc)

    # -- counting -------------------------------------------------------------------------------------------------

    def _used(self, name: str, quota: Doc) -> str | None:
        namespace = quota["metadata"]["namespace"]
        plain = name.removeprefix("count/")
        if name in ("services.nodeports", "services.loadbalancers"):
            services = self.store("services").by("namespace", namespace)
            if name == "services.loadbalancers":
                return str(sum(spec_of(s).get("type") == "LoadBalancer" for s in services))
            return str(sum(bool(p.get("nodePort")) for s in services for p in spec_of(s).get("ports") or ()))
        if name == "pods":
            return str(len(self._pods(quota, namespace)))
        if plain in _COUNTED or name.startswith("count/"):
            return self._count(plain, namespace)
        if name == "requests.storage":
            return self._sum(
                [((spec_of(c).get("resources") or {}).get("requests") or {}).get("storage")
                 for c in self.store("persistentvolumeclaims").by("namespace", namespace)]
            )  # fmt: skip
        side, _, resource = name.partition(".")
        if side not in ("requests", "limits"):
            side, resource = "requests", name
        return self._sum([
            ((c.get("resources") or {}).get(side) or {}).get(resource)
            for pod in self._pods(quota, namespace) for c in spec_of(pod).get("containers") or ()
        ])  # fmt: skip

    def _pods(self, quota: Doc, namespace: str) -> list[Doc]:
        scopes = spec_of(quota).get("scopes") or []
        pods = [p for p in self.store("pods").by("namespace", namespace) if phase(p) not in ("Succeeded", "Failed")]
        return [pod for pod in pods if all(_in_scope(pod, scope) for scope in scopes)]

    def _count(self, resource: str, namespace: str) -> str | None:
        plural, _, group = resource.partition(".")
        store = self._store_of(plural, group)
        if store is None:
            return "0"
        if "namespace" in store.indexes:
            return str(len(store.by("namespace", namespace)))
        return str(sum(doc["metadata"].get("namespace") == namespace for doc in store))

    def _store_of(self, plural: str, group: str) -> Store | None:
        stores = self.manager.state.stores
        for key, (api_version, name, _, _) in RESOURCES.items():
            if name == plural and api_version.rpartition("/")[0] == group:
                return stores.get(key)
        return stores.get(f"{plural}.{group}")

    @staticmethod
    def _sum(texts: list[str | None]) -> str:
        total = quantity.parse("0")
        for text in texts:
            if text is not None:
                total = quantity.parse(str(text)) + total
        return total.text()


def _in_scope(pod: Doc, scope: str) -> bool:
    best_effort = status_of(pod).get("qosClass") == "BestEffort"
    terminating = spec_of(pod).get("activeDeadlineSeconds") is not None
    return {"BestEffort": best_effort, "NotBestEffort": not best_effort, "Terminating": terminating,
            "NotTerminating": not terminating}.get(scope, False)  # fmt: skip
