"""What all parts of a kubelet share: telling (statuses, events, notes), the environment of containers, the node's books.

The parts are layers of one class, like client-go's: agent → probes, server → containers → pods → kubelet. What a lower layer needs of
a higher one is declared here.

Upstream: pkg/kubelet/kubelet_pods.go, pkg/kubelet/container/helpers.go.
"""

from typing import Any

from cluster.clientgo import ApiClient, Doc
from cluster.kubelet.programs import Surroundings
from cluster.kubelet.state import ContainerRun, KubeletState, PodRun
from cluster.kubelet.status import container_specs
from cluster.sim import Outbox
from cluster.trace.notes import Effect


class Agent(ApiClient):
    """The bottom layer. ``config`` is a ``KubeletConfig``."""

    config: Any
    state: KubeletState

    # -- telling --------------------------------------------------------------------------------------------------

    def publish(self, run: PodRun, out: Outbox) -> None:
        """Its status may have changed: have it sent."""
        self.enqueue(out, "status", run.uid)

    def reporting(self, run: PodRun) -> bool:
        """Whether a status of it is being sent or waits to be."""
        queue = self.state.queues.get("status")
        return queue is not None and (run.uid in queue.active or run.uid in queue.ready)

    def pod_event(self, run: PodRun, out: Outbox, kind: str, reason: str, words: str) -> None:
        """An Event about the pod."""
        self.event(out, self.reference(run), kind, reason, words, source="kubelet", host=self.config.node)

    def container_event(
        self, run: PodRun, container: ContainerRun, out: Outbox, kind: str, reason: str, words: str
    ) -> None:
        """An Event about one container of the pod."""
        group = {"init": "initContainers", "sidecar": "initContainers", "ephemeral": "ephemeralContainers"}.get(
            container.kind, "containers"
        )
        about = {**self.reference(run), "fieldPath": f"spec.{group}{{{container.name}}}"}
        self.event(out, about, kind, reason, words, source="kubelet", host=self.config.node)

    def reference(self, run: PodRun) -> Doc:
        """The pod as Events name it."""
        meta = run.doc["metadata"]
        about = {
            "kind": "Pod",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "apiVersion": "v1",
        }
        if meta.get("resourceVersion"):
            about["resourceVersion"] = meta["resourceVersion"]
        return about

    def effect(self, out: Outbox, kind: str, run: PodRun, words: str) -> None:
        """A note of what was done, if it descends from a request."""
        if out.cause:
            out.note(Effect(kind, f"pods/{run.key}", words, {"node": self.config.node}))

    # -- environment ----------------------------------------------------------------------------------------------

    def container_spec(self, run: PodRun, container: ContainerRun) -> Doc | None:
        """The container's part of the pod's spec."""
        found = container_specs(run.doc).get(container.name)
        return found[1] if found is not None else None

    def surroundings(self, run: PodRun, spec: Doc) -> Surroundings:
        """What the program of a container of this pod can see."""
        meta = run.doc["metadata"]
        host = (
            self.config.node if run.doc["spec"].get("hostNetwork") else run.doc["spec"].get("hostname") or meta["name"]
        )
        return Surroundings(host, tuple(self.environment(run, spec, host).items()), spec.get("image", ""))

    def environment(self, run: PodRun, spec: Doc, host: str) -> dict[str, str]:
        """The container's environment; of Services' variables only those of ``kubernetes``."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": host}
        for source in spec.get("envFrom") or ():
            for kind, field in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
                if field in source:
                    for key, value in (run.data.get(f"{kind}/{source[field]['name']}") or {}).items():
                        env[f"{source.get('prefix', '')}{key}"] = value
        env |= {
            "KUBERNETES_SERVICE_HOST": self.config.service_host,
            "KUBERNETES_SERVICE_PORT": "443",
            "KUBERNETES_SERVICE_PORT_HTTPS": "443",
            "KUBERNETES_PORT": f"tcp://{self.config.service_host}:443",
            "KUBERNETES_PORT_443_TCP": f"tcp://{self.config.service_host}:443",
            "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
            "KUBERNETES_PORT_443_TCP_PORT": "443",
            "KUBERNETES_PORT_443_TCP_ADDR": self.config.service_host,
        }
        for entry in spec.get("env") or ():
            value = self._value(run, entry)
            if value is not None:
                env[entry["name"]] = value
        env["HOME"] = "/root"
        return env

    def _value(self, run: PodRun, entry: Doc) -> str | None:
        source = entry.get("valueFrom")
        if source is None:
            return entry.get("value", "")
        for kind, field in (("configmaps", "configMapKeyRef"), ("secrets", "secretKeyRef")):
            if field in source:
                return (run.data.get(f"{kind}/{source[field]['name']}") or {}).get(source[field]["key"])
        path = (source.get("fieldRef") or {}).get("fieldPath", "")
        meta = run.doc["metadata"]
        known = {
            "metadata.name": meta["name"],
            "metadata.namespace": meta["namespace"],
            "metadata.uid": meta["uid"],
            "spec.nodeName": self.config.node,
            "spec.serviceAccountName": run.doc["spec"].get("serviceAccountName", ""),
            "status.podIP": run.ip,
            "status.podIPs": run.ip,
            "status.hostIP": self.config.address,
            "status.hostIPs": self.config.address,
        }
        for group in ("labels", "annotations"):
            if path.startswith(f"metadata.{group}['"):
                return (meta.get(group) or {}).get(path[len(group) + 11 : -2], "")
        return known.get(path, "")

    def _missing_reference(self, run: PodRun, spec: Doc) -> str:
        """The kubelet's words for a ConfigMap, a Secret or a key of theirs that isn't there."""
        for source in spec.get("envFrom") or ():
            for kind, field in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
                ref = source.get(field)
                if ref and not ref.get("optional") and run.data.get(f"{kind}/{ref['name']}") is None:
                    return f'{kind[:-1]} "{ref["name"]}" not found'
        for entry in spec.get("env") or ():
            for kind, field, said in (
                ("configmaps", "configMapKeyRef", "ConfigMap"),
                ("secrets", "secretKeyRef", "Secret"),
            ):
                ref = (entry.get("valueFrom") or {}).get(field)
                if not ref or ref.get("optional"):
                    continue
                data = run.data.get(f"{kind}/{ref['name']}")
                if data is None:
                    return f'{kind[:-1]} "{ref["name"]}" not found'
                if ref["key"] not in data:
                    return f"couldn't find key {ref['key']} in {said} {run.doc['metadata']['namespace']}/{ref['name']}"
        return ""

    # -- the node's books -----------------------------------------------------------------------------------------

    def _account(self, run: PodRun, sign: int) -> None:
        for name, amount in run.requests.items():
            self.state.used[name] = self.state.used.get(name, 0) + sign * amount

    def _release_address(self, run: PodRun) -> None:
        if self.state.addresses.get(run.ip) == run.uid:
            del self.state.addresses[run.ip]

    # -- what higher layers provide -------------------------------------------------------------------------------

    def pod_cidr(self) -> str:
        """The node's pod CIDR, or ""."""
        raise NotImplementedError

    def node_limits(self) -> dict[str, int]:
        """The node's allocatable resources, nano-units."""
        raise NotImplementedError

    def on_mirror(self, event_type: str, mirror: str, new: Doc, now: int, out: Outbox) -> None:
        """The object that stands for a static pod changed."""
        raise NotImplementedError

    def stamp(self, at: int) -> str:
        """RFC 3339 with nanoseconds, as the container runtime stamps lines."""
        raise NotImplementedError

    def date(self, at: int) -> str:
        """As ``date`` prints it."""
        raise NotImplementedError

    def net_exec(self, client: str, request: int, words: list[str], run: PodRun, container: ContainerRun, now: int, out: Outbox, tty: bool, session: bool) -> None:  # fmt: skip
        """Run a program that uses the network."""
        raise NotImplementedError

    def net_cut(self, request: int, out: Outbox) -> None:
        """Its client went away."""
        raise NotImplementedError

    def _advance(self, run: PodRun, now: int, out: Outbox) -> None:
        raise NotImplementedError

    def _stop(
        self, run: PodRun, container: ContainerRun, words: str, now: int, out: Outbox, grace: int | None = None
    ) -> None:
        raise NotImplementedError

    def _all_stopped(self, run: PodRun, now: int, out: Outbox) -> None:
        raise NotImplementedError
