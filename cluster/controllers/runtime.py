"""What all controllers have in common, and which resources may be watched.

A controller is an object with handlers (``on_pods(event_type, old, new, now, out)``), a work queue named like itself
and ``reconcile(key, now, out)``. Several share one informer per resource. Each acts under its own user, so that
authorization can tell them apart.

Simplified here: real controllers prove that user by a token that they request for their service account; here the
manager's connection says ``CN=system:serviceaccount:kube-system:<user>`` as a certificate would.

Upstream: kubernetes cmd/kube-controller-manager/app, pkg/controller.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from cluster.clientgo import Doc, Expectation, Store, controller_of, reference_to
from cluster.sim import Outbox
from cluster.sim.clock import rfc3339
from cluster.trace.notes import Effect
from cluster.wire.http import Headers, HttpResponse, TlsPeer

if TYPE_CHECKING:
    from cluster.controllers.manager import ControllerManager

RESOURCES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "pods": ("v1", "pods", "Pod", ("namespace", "owner", "orphans", "node")),
    "nodes": ("v1", "nodes", "Node", ()),
    "services": ("v1", "services", "Service", ("namespace",)),
    "endpoints": ("v1", "endpoints", "Endpoints", ()),
    "namespaces": ("v1", "namespaces", "Namespace", ()),
    "serviceaccounts": ("v1", "serviceaccounts", "ServiceAccount", ("namespace",)),
    "secrets": ("v1", "secrets", "Secret", ("namespace",)),
    "configmaps": ("v1", "configmaps", "ConfigMap", ("namespace",)),
    "resourcequotas": ("v1", "resourcequotas", "ResourceQuota", ("namespace",)),
    "limitranges": ("v1", "limitranges", "LimitRange", ()),
    "podtemplates": ("v1", "podtemplates", "PodTemplate", ("namespace",)),
    "replicationcontrollers": ("v1", "replicationcontrollers", "ReplicationController", ("namespace",)),
    "persistentvolumes": ("v1", "persistentvolumes", "PersistentVolume", ()),
    "persistentvolumeclaims": ("v1", "persistentvolumeclaims", "PersistentVolumeClaim", ("namespace",)),
    "deployments": ("apps/v1", "deployments", "Deployment", ("namespace",)),
    "replicasets": ("apps/v1", "replicasets", "ReplicaSet", ("namespace", "owner", "orphans")),
    "daemonsets": ("apps/v1", "daemonsets", "DaemonSet", ("namespace",)),
    "statefulsets": ("apps/v1", "statefulsets", "StatefulSet", ("namespace",)),
    "controllerrevisions": ("apps/v1", "controllerrevisions", "ControllerRevision", ("owner",)),
    "jobs": ("batch/v1", "jobs", "Job", ("namespace", "owner")),
    "cronjobs": ("batch/v1", "cronjobs", "CronJob", ("namespace",)),
    "endpointslices": (
        "discovery.k8s.io/v1", "endpointslices", "EndpointSlice", ("namespace", "label:kubernetes.io/service-name"),
    ),
    "leases": ("coordination.k8s.io/v1", "leases", "Lease", ()),
    "poddisruptionbudgets": ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", ("namespace",)),
    "horizontalpodautoscalers": ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", ()),
    "clusterroles": ("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", ()),
    "certificatesigningrequests": ("certificates.k8s.io/v1", "certificatesigningrequests", "CertificateSigningRequest", ()),
    "storageclasses": ("storage.k8s.io/v1", "storageclasses", "StorageClass", ()),
}  # fmt: skip
"""Informer key → (apiVersion, plural, kind, indexes)."""
CLUSTER_SCOPED = ("nodes", "namespaces", "persistentvolumes", "clusterroles", "storageclasses",
                  "certificatesigningrequests")  # fmt: skip
"""Those of them that have no namespace."""


class Controller:
    """One controller. ``self.memory`` is its plain-data state within the manager's; everything else is code."""

    name: ClassVar[str]
    """Its name on the command line, and of its queue: ``deployment``."""
    user: ClassVar[str]
    """Its service account in kube-system: ``deployment-controller``."""
    watches: ClassVar[tuple[str, ...]] = ()
    """Informer keys; ``on_<key>`` handles each that has one."""
    workers: ClassVar[int] = 5
    load: ClassVar[int] = 1
    """Its share of --kube-api-qps and -burst: this many times 20 and 30."""
    root_client: ClassVar[bool] = False
    """Acts as ``system:kube-controller-manager`` itself instead of a service account."""
    observes_all: ClassVar[bool] = False
    """Hears of every informer's events through ``on_anything`` (the garbage collector)."""

    def __init__(self, manager: "ControllerManager") -> None:
        self.manager = manager

    @property
    def memory(self) -> dict[str, Any]:
        """What it remembers between steps."""
        return self.manager.state.memory.setdefault(self.name, {})

    @property
    def expectations(self) -> dict[str, Expectation]:
        """All controllers' expectations; keys begin with the controller's name."""
        return self.manager.state.expectations

    @property
    def config(self) -> Any:
        """The manager's configuration."""
        return self.manager.config

    def start(self, now: int, out: Outbox) -> None:
        """Leadership began and all of ``watches`` are listed: begin to work."""

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        """Make what ``key`` names so as it should be."""
        raise NotImplementedError(self.name)

    def on_timer(self, data: Any, now: int, out: Outbox) -> None:
        """The controller's one timer (``self.timer``) ran out."""

    def on_anything(self, key: str, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """Any watched object changed; only called where ``observes_all``."""

    def on_any_synced(self, key: str, now: int, out: Outbox) -> None:
        """An informer that isn't one of ``watches`` was listed; only called where ``observes_all``."""

    # -- towards the manager --------------------------------------------------------------------------------------

    def store(self, key: str) -> Store:
        """What is known of a watched resource."""
        return self.manager.state.stores[key]

    def enqueue(self, out: Outbox, key: str, after: int = 0) -> None:
        """Put ``key`` in this controller's queue."""
        self.manager.enqueue(out, self.name, key, after)

    def timer(self, out: Outbox, after: int, data: Any = None) -> None:
        """(Re)set this controller's one timer."""
        out.timer(f"controller/{self.name}", after, data, cause=0)

    def request(
        self, out: Outbox, method: str, path: str, *, doc: Any = None, query: str = "", then: str = "answered",
        args: tuple[Any, ...] = (), content_type: str = "application/json", headers: Headers = (),
    ) -> int:  # fmt: skip
        """Ask the apiserver as this controller's user."""
        return self.manager.request(
            out, method, path, doc=doc, query=query, then=then, args=args, content_type=content_type,
            component=self.name, headers=headers,
        )  # fmt: skip

    def answered(self, response: HttpResponse, *args: Any, now: int, out: Outbox) -> None:
        """An error makes the run fail, so that its key is tried again. Gone already (404) is as good as deleted."""
        if response.code == 0 or (response.code >= 400 and response.code != 404):
            self.failed()

    def failed(self) -> None:
        """The running reconcile shall be tried again."""
        self.manager.failed()

    def event(self, out: Outbox, doc: Doc, resource: str, event_type: str, reason: str, message: str) -> None:
        """Write an Event about ``doc``."""
        api_version, _, kind, _ = RESOURCES[resource]
        self.manager.event(
            out, reference_to(doc, kind, api_version), event_type, reason, message, source=self.event_source,
            component=self.name,
        )  # fmt: skip

    @property
    def event_source(self) -> str:
        """What people see in the FROM column."""
        return self.user

    def stamp(self, now: int) -> str:
        """``now`` as metav1.Time."""
        return rfc3339(self.config.epoch, now)

    def note(self, out: Outbox, about: str, text: str, detail: Any = None) -> None:
        """Say in one sentence what was decided, for people who follow the cause."""
        if out.cause:
            out.note(Effect("reconcile", about, text, detail))

    def owner_key(self, doc: Doc, kind: str) -> str | None:
        """``namespace/name`` of the controlling owner if it is of ``kind``."""
        owner = controller_of(doc)
        return f"{doc['metadata'].get('namespace', '')}/{owner['name']}" if owner and owner["kind"] == kind else None


def service_account(user: str) -> TlsPeer:
    """Who a controller is to the apiserver."""
    return TlsPeer(
        common_name=f"system:serviceaccount:kube-system:{user}",
        organizations=("system:serviceaccounts", "system:serviceaccounts:kube-system"),
    )
