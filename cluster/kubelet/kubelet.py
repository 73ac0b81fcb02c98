"""The kubelet process of one node: its Node, its Lease, its pods, and port 10250.

In: the pods bound to this node (watched by ``spec.nodeName``) → out: a registered Node whose status is patched every 5 minutes or when it
changes, a Lease renewed every 10 s, pods' statuses, events, and answers to logs and exec. Static pods run from the configuration
and are shown to the apiserver as mirror pods.

An idle kubelet costs one PUT in 10 s.

Simplified here: see the parts (``pods``, ``containers``, ``images``, ``programs``, ``probes``, ``server``); no certificates are
rotated, no garbage is collected, no eviction under pressure; RuntimeClasses are not looked up.

Upstream: pkg/kubelet/kubelet.go, kubelet_node_status.go, component-helpers/apimachinery/lease/controller.go (1.32).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from cluster.api import quantity
from cluster.clientgo import ClientConfig, Doc
from cluster.kubelet import node_status
from cluster.kubelet.pods import MIRROR, PodWorkers, manifest_hash
from cluster.kubelet.state import KubeletState, PodRun
from cluster.kubelet.status import pod_status, status_patch
from cluster.sim import MINUTE, SECOND, Outbox
from cluster.trace.notes import Effect
from cluster.wire.http import HttpResponse
from cluster.wire.machine import ManifestChanged
from cluster.wire.packet import NetDone

LEASE_PERIOD = 10 * SECOND
STATUS_PERIOD = 5 * MINUTE
REGISTER_RETRY = SECOND
REGISTER_PATIENCE = 5 * SECOND
HOUSEKEEPING = 2 * SECOND


class KubeletConfig(ClientConfig, frozen=True, kw_only=True):
    """``peer``: system:node:<node>, of system:nodes. ``capacity`` in Kubernetes' quantities."""

    node: str
    host: str
    address: str
    capacity: dict[str, str]
    labels: dict[str, str] = {}
    taints: tuple[dict[str, str], ...] = ()
    pod_cidr: str = ""
    """Used until the Node's own spec.podCIDR is set."""
    static_pods: tuple[dict[str, Any], ...] = ()
    version: str = "v1.32.13"
    os_image: str = "Debian GNU/Linux 7 (wheezy)"
    kernel_version: str = "3.16.0-0.bpo.4-amd64"
    runtime_version: str = "fakeRuntime://0.1.0"
    """As Kubernetes' own hollow nodes say of themselves: the runtime here is one, too."""
    service_host: str = "10.96.0.1"
    dns: str = "10.96.0.10"
    """``clusterDNS``."""
    kernel: str = ""
    """The process that is this node's kernel."""


class Kubelet(PodWorkers):
    """See the module."""

    kind = "kubelet"
    config: KubeletConfig

    def fresh(self) -> KubeletState:
        return KubeletState()

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        """Register, then watch the own Node and the own pods."""
        super().boot(disk, now, out)
        self.state.machine_id = out.dice.uuid()
        self.state.started = now
        self._register(out)

    def workers_of(self, queue: str) -> int:
        """Statuses of many pods may be on their way at once."""
        return 100

    # -- the Node -------------------------------------------------------------------------------------------------

    def _register(self, out: Outbox) -> None:
        out.cause = 0
        status = self._node_status([])
        self.request(
            out,
            "POST",
            "/api/v1/nodes",
            doc=node_status.new_node(self.config, status),
            then="registered",
            args=(status,),
            timeout=REGISTER_PATIENCE,  # the reset of a kubelet killed a moment ago may cut the new one's first request, too
        )

    def registered(self, response: HttpResponse, status: Doc, now: int, out: Outbox) -> None:
        """The Node was created, or is there already, or nobody answered."""
        if response.code not in (200, 201, 409):
            out.timer("register", REGISTER_RETRY, cause=0)
            return
        self.state.registered = True
        if response.code != 409:
            self.state.node_status, self.state.status_at = status, now
        name = self.config.node
        self.watch_resource(out, "node", "/api/v1/nodes", f"fieldSelector=metadata.name%3D{name}")
        self.watch_resource(out, "pods", "/api/v1/pods", f"fieldSelector=spec.nodeName%3D{name}")
        self._renew(now, out)

    def _announce(self, out: Outbox) -> None:
        """What a kubelet says of its Node when it starts, be the Node new or not."""
        self._node_event(out, "Starting", "Starting kubelet.")
        for reason in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"):
            self._node_event(out, reason, f"Node {self.config.node} status is now: {reason}")

    def _node_event(self, out: Outbox, reason: str, words: str) -> None:
        """The kubelet knows its Node by name only, and gives that as its uid (kubectl looks for both)."""
        about = {"kind": "Node", "name": self.config.node, "uid": self.config.node, "apiVersion": "v1"}
        self.event(out, about, "Normal", reason, words, source="kubelet", host=self.config.node)

    def on_node(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """Our Node changed. If somebody deleted it, it stays so until the kubelet starts again (as upstream)."""
        if event_type == "DELETED":
            self.state.node = None
            return
        self.state.node = new
        if not self.state.announced:
            self.state.announced = True
            out.timer("announce", SECOND, cause=0)  # a cluster just being born has no namespace for these events yet
        if old is None:
            for manifest in self.config.static_pods:
                self._begin_static(manifest, now, out)
            wanted = node_status.node_labels(self.config)
            labels = new["metadata"].get("labels") or {}
            if any(labels.get(key) != value for key, value in wanted.items()):
                self.request(
                    out, "PATCH", f"/api/v1/nodes/{self.config.node}", doc={"metadata": {"labels": wanted}},
                    content_type="application/strategic-merge-patch+json",
                )  # fmt: skip
        self._report_node(now, out)

    def pod_cidr(self) -> str:
        """The Node's, else the configured one."""
        return ((self.state.node or {}).get("spec") or {}).get("podCIDR") or self.config.pod_cidr

    def node_limits(self) -> dict[str, int]:
        """Allocatable, nano-units."""
        found = self.__dict__.get("_limits")
        if found is None:
            left = node_status.allocatable(node_status.with_hugepages(self.config.capacity))
            found = self.__dict__["_limits"] = {name: quantity.parse(value).nano for name, value in left.items()}
        others = node_status.extended(self.config, self.state.node, "allocatable")
        return found | {name: quantity.parse(value).nano for name, value in others.items()} if others else found

    def _node_status(self, old: list[Doc]) -> Doc:
        return node_status.node_status(
            self.config,
            ready=bool(self.pod_cidr()),
            old=old,
            images=list(self.state.images),
            seed=self.state.machine_id,
            now=self.now,
            node=self.state.node,
        )

    def _report_node(self, now: int, out: Outbox) -> None:
        """Patch the Node's status if anything changed that isn't a time, or 5 minutes have passed."""
        state = self.state
        ready = bool(self.pod_cidr())
        known = ((state.node or {}).get("status") or {}).get("conditions") or []
        said = next((c.get("status") for c in known if c["type"] == "Ready"), "")
        lost = said != ("True" if ready else "False")  # the controller manager may have said Unknown meanwhile
        given, usable = (node_status.extended(self.config, state.node, where) for where in ("capacity", "allocatable"))
        lost = lost or any(usable.get(name) != amount for name, amount in given.items())
        due = state.status_at < 0 or now - state.status_at >= STATUS_PERIOD
        if state.node is None or not (due or lost or ready != state.ready):
            return
        if lost and state.status_at == now:
            return
        turned = ready != state.ready
        state.ready, state.status_at = ready, now
        status = self._node_status(known)
        state.node_status = status
        path = f"/api/v1/nodes/{self.config.node}/status"
        self.request(
            out, "PATCH", path, doc={"status": status}, content_type="application/strategic-merge-patch+json", then="node_reported",
            detach=True,
        )  # fmt: skip
        if turned and ready:
            self._node_event(out, "NodeReady", f"Node {self.config.node} status is now: NodeReady")
            if out.cause:
                out.note(Effect("node", f"nodes/{self.config.node}", f"{self.config.node} is ready", None))

    def node_reported(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """An unanswered report is made again with the next renewal."""
        if response.code not in (200, 201):
            self.state.status_at = -1

    # -- the Lease ------------------------------------------------------------------------------------------------

    def _renew(self, now: int, out: Outbox) -> None:
        out.cause = 0
        state = self.state
        out.timer("lease", LEASE_PERIOD, cause=0)
        uid = ((state.node or {}).get("metadata") or {}).get("uid", "")
        doc = node_status.lease(self.config, state.lease, uid, now)
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        timeout = LEASE_PERIOD - SECOND
        if state.lease is None:
            self.request(out, "POST", path, doc=doc, then="lease_answered", timeout=timeout)
        else:
            self.request(out, "PUT", f"{path}/{self.config.node}", doc=doc, then="lease_answered", timeout=timeout)

    def lease_answered(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """Keep what the server says; if somebody else wrote it, read it and write again."""
        if response.code in (200, 201):
            self.state.lease = response.doc
        elif response.code == 409:
            path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{self.config.node}"
            self.request(out, "GET", path, then="node_lease_read", timeout=LEASE_PERIOD)
        elif response.code == 404:
            self.state.lease = None

    def node_lease_read(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """The Lease as it is: renew it."""
        if response.code == 200:
            self.state.lease = response.doc
            self._renew(now, out)

    # -- timers and messages --------------------------------------------------------------------------------------

    def on_timer(self, name: str, data: Any, now: int, out: Outbox) -> None:
        """``lease``, ``register``, ``announce``, ``log//<request>``, or one of a pod."""
        if name == "lease":
            self._renew(now, out)
            self._report_node(now, out)
        elif name.startswith("mirror//"):
            self._delete_mirror(data[1], data[0], out)
        elif name == "announce":
            self._announce(out)
        elif name == "register":
            if not self.state.registered:
                self._register(out)
        elif name.startswith("exec//"):
            self.net_slept(data, now, out)
        elif name.startswith("log//"):
            self.log_due(data, now, out)
        else:
            self.pod_timer(name, data, now, out)

    def on_message(self, src: str, message: Any, now: int, out: Outbox) -> None:
        """Requests to port 10250; what a process that is a container here says; answers of the node's kernel."""
        if type(message) is NetDone:
            self.net_answered(message, now, out)
        elif type(message) is ManifestChanged:
            self.manifest_changed(message, now, out)
        elif not self.process_said(src, message, now, out):
            self.serve(src, message, now, out)

    # -- reporting pods -------------------------------------------------------------------------------------------

    def reconcile_status(self, uid: str, now: int, out: Outbox) -> None:
        """Patch the pod's status if it differs from what was last accepted; delete the object of a pod that is gone."""
        run = self.state.pods.get(uid)
        if run is None or (run.static and not self._mirror_ready(run, out)):
            return
        status = (
            pod_status(run, self.config.address, self.config.epoch, now)
            if run.containers or run.state != "gone"
            else run.sent
        )
        path = self._pod_path(run)
        target = run.doc["metadata"]["uid"]
        if (
            status is not None
            and status != run.sent
            and not (run.state == "gone" and run.sent is not None and not run.containers)
        ):
            patch = status_patch(status, run.sent or {}, run.doc.get("status") or {})
            self.request(
                out, "PATCH", f"{path}/status", doc={"metadata": {"uid": target}, "status": patch},
                content_type="application/strategic-merge-patch+json", then="status_sent", args=(uid, status),
            )  # fmt: skip
        elif run.state == "gone" and run.deleting:
            options = {
                "kind": "DeleteOptions",
                "apiVersion": "v1",
                "gracePeriodSeconds": 0,
                "preconditions": {"uid": target},
            }
            self.request(out, "DELETE", path, doc=options, then="pod_deleted", args=(uid,))

    def _pod_path(self, run: PodRun) -> str:
        meta = run.doc["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"

    def status_sent(self, response: HttpResponse, uid: str, status: Doc, now: int, out: Outbox) -> None:
        """Accepted: remember it, and go on to the deletion if it is time."""
        run = self.state.pods.get(uid)
        if run is None:
            return
        if response.code == 200:
            run.sent = status
            run.sent_version = int(response.doc["metadata"].get("resourceVersion") or 0)
            if run.state == "gone" and run.deleting:
                self.publish(run, out)
        elif response.code == 404 and not run.static:
            self._forget(run, out)
        elif response.code != 404:
            self.failed()

    def pod_deleted(self, response: HttpResponse, uid: str, now: int, out: Outbox) -> None:
        """Gone, or was gone before. Finalizers may keep the object; then its going is told by the watch."""
        if response.code in (404, 409):
            run = self.state.pods.get(uid)
            if run is not None:
                self._forget(run, out)
        elif response.code != 200:
            self.failed()

    # -- static pods ----------------------------------------------------------------------------------------------

    def _begin_static(self, manifest: Doc, now: int, out: Outbox) -> None:
        number = manifest_hash(manifest)
        if number in self.state.pods:
            return
        doc = self._static_doc(manifest, number)
        run = self.state.pods[number] = PodRun(
            number, f"{doc['metadata']['namespace']}/{doc['metadata']['name']}", doc, static=number
        )
        self._begin(run, now, out)

    def manifest_changed(self, message: ManifestChanged, now: int, out: Outbox) -> None:
        """A static pod's manifest names another image: the old pod goes, with its mirror, a new one comes under another hash."""
        config = self.config
        manifests: list[Doc] = []
        for manifest in config.static_pods:
            first = manifest["spec"]["containers"][0]
            if manifest["metadata"]["name"] == message.pod and first["image"] != message.image:
                new = {**manifest, "spec": {**manifest["spec"], "containers": [{**first, "image": message.image}]}}
                self._replace_static(manifest, new, now, out)
                manifest = new
            manifests.append(manifest)
        self.config = structs.replace(config, static_pods=tuple(manifests))
        out.reconfigure(self.name, {"static_pods": self.config.static_pods})

    def _replace_static(self, old: Doc, new: Doc, now: int, out: Outbox) -> None:
        self.state.images.setdefault(new["spec"]["containers"][0]["image"])  # kubeadm has pulled it before
        run = self.state.pods.get(manifest_hash(old))
        if run is not None:
            self._forget(run, out)
            self._delete_mirror(self._pod_path(run), new, out)
        if self.state.node is not None:
            self._begin_static(new, now, out)

    def _delete_mirror(self, path: str, manifest: Doc, out: Outbox) -> None:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        self.request(out, "DELETE", path, doc=options, then="mirror_gone", args=(manifest, path))

    def mirror_gone(self, response: HttpResponse, manifest: Doc, path: str, now: int, out: Outbox) -> None:
        """The old pod's stand-in is deleted; if it could not be (its etcd member is just being swapped), again with the next housekeeping."""
        if response.code not in (200, 404):
            out.timer(f"mirror//{path}", HOUSEKEEPING, (manifest, path))
            return
        run = self.state.pods.get(manifest_hash(manifest))
        if run is not None:
            self.publish(run, out)

    def _static_doc(self, manifest: Doc, number: str) -> Doc:
        """The manifest as a pod of this node: named after it, tolerating everything that evicts."""
        meta = manifest["metadata"]
        annotations = {
            **(meta.get("annotations") or {}),
            "kubernetes.io/config.hash": number,
            "kubernetes.io/config.seen": self.stamp(self.now),
            "kubernetes.io/config.source": "file",
        }
        spec = {
            "restartPolicy": "Always",
            **manifest["spec"],
            "nodeName": self.config.node,
            "enableServiceLinks": True,
            "tolerations": [{"effect": "NoExecute", "operator": "Exists"}],
        }
        name = f"{meta['name']}-{self.config.node}"
        namespace = meta.get("namespace", "default")
        return {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {**meta, "name": name, "namespace": namespace, "uid": number, "annotations": annotations},
            "spec": spec,
        }

    def _mirror_ready(self, run: PodRun, out: Outbox) -> bool:
        """Whether the mirror pod exists; else it is made, if the pods have been listed."""
        if run.doc["metadata"]["uid"] != run.static:
            return True
        if self.state.node is None or not self.synced("pods"):
            self.enqueue(out, "status", run.uid, SECOND)
            return False
        meta = {k: v for k, v in run.doc["metadata"].items() if k != "uid"}
        meta["annotations"] = {**meta["annotations"], MIRROR: run.static}
        node = self.state.node["metadata"]
        meta["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "Node", "name": node["name"], "uid": node.get("uid", ""), "controller": True}
        ]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods"
        self.request(out, "POST", path, doc={**run.doc, "metadata": meta}, then="mirror_made", args=(run.uid,))
        return False

    def mirror_made(self, response: HttpResponse, uid: str, now: int, out: Outbox) -> None:
        """Made (the watch tells its uid), or refused: again later."""
        if response.code not in (
            200,
            201,
        ):  # 409: there is one, of this manifest (the watch tells) or of the one before it
            self.enqueue(out, "status", uid, SECOND if response.code == 409 else 5 * SECOND)

    def on_mirror(self, event_type: str, mirror: str, new: Doc, now: int, out: Outbox) -> None:
        """The object that stands for a static pod came, changed or went (then it is made again)."""
        run = self.state.pods.get(mirror)
        path = f"/api/v1/namespaces/{new['metadata']['namespace']}/pods/{new['metadata']['name']}"
        if run is None:
            if event_type != "DELETED":  # of an older manifest, or left behind
                self.request(
                    out,
                    "DELETE",
                    path,
                    doc={"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0},
                    detach=True,
                )
            return
        if event_type == "DELETED":
            run.doc = {**run.doc, "metadata": {**run.doc["metadata"], "uid": run.static}}
            run.sent = None
            self.enqueue(out, "status", run.uid, SECOND)
        elif new["metadata"].get("deletionTimestamp"):
            self.request(
                out,
                "DELETE",
                path,
                doc={"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0},
                detach=True,
            )
        else:
            first = run.doc["metadata"]["uid"] != new["metadata"]["uid"]
            run.doc = new
            if first:
                run.sent = None
                self.publish(run, out)

    # -- onlookers ------------------------------------------------------------------------------------------------

    def stamp(self, at: int) -> str:
        """RFC 3339 with nanoseconds."""
        return f"{self._moment(at):%Y-%m-%dT%H:%M:%S}.{at % SECOND:09d}Z"

    def date(self, at: int) -> str:
        """``Mon Nov 23 09:00:00 UTC 2026``."""
        return f"{self._moment(at):%a %b %e %H:%M:%S UTC %Y}"

    def _moment(self, at: int) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.config.epoch + at // SECOND)

    def status(self) -> dict[str, Any]:
        """Counts, and the pods' states."""
        state = self.state
        return {
            "node": self.config.node,
            "ready": state.ready,
            "podCIDR": self.pod_cidr(),
            "pods": {run.key: run.state for run in state.pods.values()},
            "images": len(state.images),
        }
