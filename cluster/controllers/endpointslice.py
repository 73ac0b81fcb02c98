"""EndpointSlice: the addresses behind a Service, at most 100 in a slice, so that one Pod's change is one small write.

In → a Service with a selector and the Pods it selects; out → slices ``<service>-<5 random>`` owned by the Service, each for
one address family and one set of ports. An endpoint says whether it is ready (new connections), serving (its Pod is
ready, even while it terminates) and terminating, on which node and in which zone.

Existing slices are written as little as possible: what is gone is removed, what is new fills slices that are written anyway; one that would go
while another would come becomes that other, so a Service keeps its slice's name through being empty and through changes of its ports.

With ``trafficDistribution: PreferClose`` every ready endpoint has a hint: its own zone. A Pod whose Node isn't there is left out (unless
``publishNotReadyAddresses``), and tried again.

Simplified here: no hints by ``service.kubernetes.io/topology-mode`` (a Service that has it set to Auto gets none); the trigger-time annotation says when the controller acted, to the second.

Upstream: kubernetes pkg/controller/endpointslice, staging/src/k8s.io/endpointslice/reconciler.go.
"""

from typing import Any

import orjson
from msgspec import Struct

from cluster.clientgo import Doc
from cluster.controllers.lib import endpoints as behind
from cluster.controllers.lib.meta import annotations_of, deleting, labels_of, owner_reference, path, spec_of, status_of
from cluster.controllers.lib.pods import is_ready
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox
from cluster.wire.http import HttpResponse

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"
MAX_ENDPOINTS = 100
REMEMBERED = 16_384
"""Pods whose endpoint is remembered."""


TOPOLOGY_MODES = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")


class Plan(Struct):
    """What is to be done with the slices of one address family: (ports, endpoints) to create, (slice, ports, endpoints) to write, slices to delete."""

    create: list[tuple[list[Doc], list[Doc]]] = []
    update: list[tuple[Doc, list[Doc], list[Doc]]] = []
    delete: list[Doc] = []


class EndpointSliceController(Controller):
    """Keys are ``namespace/name`` of Services. Memory: service → slices that were created and not yet seen."""

    name = "endpointslice"
    user = "endpointslice-controller"
    watches = ("services", "pods", "endpointslices", "nodes")

    def __init__(self, manager: Any) -> None:
        super().__init__(manager)
        self._made: dict[tuple[str, str], tuple[Doc, Doc | None, tuple[str, bool, str, bool], Doc | None]] = {}
        """Pod's uid → the Pod, its Node, what was asked, the endpoint: only what documents say, so it may be forgotten."""

    # -- events ---------------------------------------------------------------------------------------------------

    def on_services(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = f"{new['metadata']['namespace']}/{new['metadata']['name']}"
        if event_type == "DELETED":
            self.memory.pop(key, None)
        else:
            self.enqueue(out, key)

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "MODIFIED" and old is not None and not behind.changed(old, new):
            return
        namespace = new["metadata"]["namespace"]
        for service in self.store("services").by("namespace", namespace):
            if behind.selects(service, new) or (old is not None and behind.selects(service, old)):
                self.enqueue(out, f"{namespace}/{service['metadata']['name']}")

    def on_endpointslices(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        labels = labels_of(new)
        if labels.get(MANAGED_BY) != CONTROLLER:
            return
        key = f"{new['metadata']['namespace']}/{labels.get(SERVICE_NAME, '')}"
        expected = self.memory.get(key)
        if expected is not None:
            expected.pop(new["metadata"]["name"], None)
            if not expected:
                del self.memory[key]
        if event_type != "MODIFIED" or old is None or old.get("endpoints") != new.get("endpoints"):
            self.enqueue(out, key)

    # -- one run --------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        service = self.store("services").get(key)
        if service is None or not spec_of(service).get("selector") or deleting(service):
            return
        if spec_of(service).get("type") == "ExternalName" or self.memory.get(key):
            return  # in the second case a slice of ours isn't in the informer yet; its event brings us back
        pods = [
            p
            for p in self.store("pods").by("namespace", service["metadata"]["namespace"])
            if behind.selects(service, p)
        ]
        slices = [
            s for s in self.store("endpointslices").by(f"label:{SERVICE_NAME}", service["metadata"]["name"])
            if s["metadata"]["namespace"] == service["metadata"]["namespace"]
            and labels_of(s).get(MANAGED_BY) == CONTROLLER and not deleting(s)
        ]  # fmt: skip
        for family in spec_of(service).get("ipFamilies") or ["IPv4"]:
            self._family(service, family, pods, [s for s in slices if s["addressType"] == family], now, out)
        families = spec_of(service).get("ipFamilies") or ["IPv4"]
        for stale in slices:
            if stale["addressType"] not in families:
                self._delete(stale, out)

    def _family(self, service: Doc, family: str, pods: list[Doc], slices: list[Doc], now: int, out: Outbox) -> None:
        wanted, lost = self._wanted(service, family, pods)
        plan = Plan()
        existing: dict[str, list[Doc]] = {}
        for entry in slices:
            if _owned(entry, service):
                existing.setdefault(orjson.dumps(entry.get("ports") or []).decode(), []).append(entry)
            else:  # of a Service of the same name that is gone
                plan.delete.append(entry)
        for text, (ports, endpoints) in wanted.items():
            self._group(service, ports, endpoints, existing.pop(text, []), plan)
        plan.delete += [entry for leftovers in existing.values() for entry in leftovers]
        if not plan.create and len(plan.delete) == len(slices):  # a Service without endpoints has one empty slice
            if len(slices) == 1 and self._is_placeholder(slices[0], service):
                plan.delete = []
            else:
                plan.create.append(([], []))
        for entry in list(plan.delete):  # what would be deleted beside a new one becomes that one
            if plan.create and _owned(entry, service):
                plan.delete.remove(entry)
                plan.update.append((entry, *plan.create.pop()))
        for ports, endpoints in plan.create:
            self._create(service, family, ports, endpoints, now, out)
        for entry, ports, endpoints in plan.update:
            self._update(service, entry, ports, endpoints, now, out)
        for entry in plan.delete:
            self._delete(entry, out)
        if lost:
            self.failed()

    def _wanted(
        self, service: Doc, family: str, pods: list[Doc]
    ) -> tuple[dict[str, tuple[list[Doc], dict[str, Doc]]], bool]:
        """(ports as text → ports, Pod's uid → endpoint; whether a Pod was left out because its Node isn't there)."""
        wanted: dict[str, tuple[list[Doc], dict[str, Doc]]] = {}
        publish = bool(spec_of(service).get("publishNotReadyAddresses"))
        named = any(isinstance(port.get("targetPort"), str) for port in spec_of(service).get("ports") or ())
        group: tuple[list[Doc], dict[str, Doc]] | None = None
        lost = False
        for pod in pods:
            if not behind.belongs(pod, include_terminating=True):
                continue
            if named or group is None:  # numbers are the same in every Pod
                ports = self._ports(service, pod)
                group = wanted.setdefault(orjson.dumps(ports).decode(), (ports, {}))
            if not publish and self.store("nodes").get(spec_of(pod).get("nodeName") or "") is None:
                lost = True
                continue
            endpoint = self._endpoint(service, family, pod)
            if endpoint is not None:
                group[1][f"{endpoint['targetRef']['uid']}"] = endpoint
        return wanted, lost

    def _is_placeholder(self, entry: Doc, service: Doc) -> bool:
        return not entry.get("ports") and not entry.get("endpoints") and labels_of(entry) == self._labels(service)

    def _group(self, service: Doc, ports: list[Doc], wanted: dict[str, Doc], slices: list[Doc], plan: Plan) -> None:
        """Slices of one set of ports: what is gone is removed, what is new fills slices that are written anyway, or one that is not, or new ones."""
        left, labels = dict(wanted), self._labels(service)
        written: list[tuple[Doc, list[Doc]]] = []
        same: list[tuple[Doc, list[Doc]]] = []
        for entry in slices:
            known = entry.get("endpoints") or []
            uids = [(endpoint.get("targetRef") or {}).get("uid", "") for endpoint in known]
            kept = [endpoint for uid in uids if (endpoint := left.pop(uid, None)) is not None]
            if known and not kept:
                plan.delete.append(entry)
            else:
                (same if kept == known and labels == labels_of(entry) else written).append((entry, kept))
        for _, kept in sorted(written, key=lambda one: -len(one[1])):  # the fullest first
            while left and len(kept) < MAX_ENDPOINTS:
                kept.append(left.pop(next(iter(left))))
        rest = list(left.values())
        while rest:
            fit = [one for one in same if len(rest) < MAX_ENDPOINTS and len(one[1]) + len(rest) <= MAX_ENDPOINTS]
            if fit:  # all of them, in the one that is fullest then
                entry, kept = max(fit, key=lambda one: len(one[1]))
                written.append((entry, kept + rest))
                break
            plan.create.append((ports, rest[:MAX_ENDPOINTS]))
            rest = rest[MAX_ENDPOINTS:]
        plan.update += [(entry, ports, kept) for entry, kept in written]

    # -- parts ----------------------------------------------------------------------------------------------------

    def _endpoint(self, service: Doc, family: str, pod: Doc) -> Doc | None:
        """The Pod as an endpoint; None without an address of that family. Made once for all Services that say the same of it."""
        node_name = spec_of(pod).get("nodeName")
        node = self.store("nodes").get(node_name) if node_name else None
        publish = bool(spec_of(service).get("publishNotReadyAddresses"))
        asked = family, publish, behind.hostname_of(service, pod), _prefers_close(service)
        key = pod["metadata"]["uid"], family
        known = self._made.get(key)
        if known is not None and known[0] is pod and known[1] is node and known[2] == asked:
            return known[3]
        endpoint = self._new_endpoint(family, publish, asked[2], pod, node, asked[3])
        if len(self._made) >= REMEMBERED:
            self._made.clear()
        self._made[key] = pod, node, asked, endpoint
        return endpoint

    @staticmethod
    def _new_endpoint(
        family: str, publish: bool, hostname: str, pod: Doc, node: Doc | None, close: bool = False
    ) -> Doc | None:
        address = next(
            (e["ip"] for e in status_of(pod).get("podIPs") or [{"ip": status_of(pod)["podIP"]}]
             if (":" in e["ip"]) == (family == "IPv6")), None,
        )  # fmt: skip
        if address is None:
            return None
        serving, terminating = is_ready(pod), deleting(pod)
        endpoint: Doc = {
            "addresses": [address],
            "conditions": {
                "ready": publish or (serving and not terminating),
                "serving": serving,
                "terminating": terminating,
            },
        }
        if hostname:
            endpoint["hostname"] = hostname
        endpoint["targetRef"] = behind.target_ref(pod)
        node_name = spec_of(pod).get("nodeName")
        if node_name:
            endpoint["nodeName"] = node_name
            zone = labels_of(node).get("topology.kubernetes.io/zone") if node is not None else None
            if zone:
                endpoint["zone"] = zone
            if zone and close and endpoint["conditions"]["ready"]:
                endpoint["hints"] = {"forZones": [{"name": zone}]}
        return endpoint

    @staticmethod
    def _ports(service: Doc, pod: Doc) -> list[Doc]:
        ports: list[Doc] = []
        for port in spec_of(service).get("ports") or ():
            number = behind.find_port(pod, port)
            if number is None:
                continue
            entry: Doc = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": number}
            if port.get("appProtocol"):
                entry["appProtocol"] = port["appProtocol"]
            ports.append(entry)
        return ports

    @staticmethod
    def _labels(service: Doc) -> dict[str, str]:
        labels = {k: v for k, v in labels_of(service).items() if k not in (SERVICE_NAME, MANAGED_BY, behind.HEADLESS)}
        labels.update({MANAGED_BY: CONTROLLER, SERVICE_NAME: service["metadata"]["name"]})
        if behind.headless(service):
            labels[behind.HEADLESS] = ""
        return labels

    def _create(self, service: Doc, family: str, ports: list[Doc], endpoints: list[Doc], now: int, out: Outbox) -> None:
        meta = service["metadata"]
        doc = {
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {
                "generateName": f"{meta['name']}-",
                "namespace": meta["namespace"],
                "labels": self._labels(service),
                "annotations": {behind.TRIGGER_TIME: self.stamp(now)},
                "ownerReferences": [owner_reference(service, "v1", "Service")],
            },
            "addressType": family,
            "endpoints": endpoints,
            "ports": ports,
        }
        self._say(service, len(endpoints), out)
        key = f"{meta['namespace']}/{meta['name']}"
        self.request(out, "POST", path("discovery.k8s.io/v1", "endpointslices", meta["namespace"]), doc=doc,
                     then="slice_created", args=(key,))  # fmt: skip

    def slice_created(self, response: HttpResponse, key: str, now: int, out: Outbox) -> None:
        """Don't look at this Service again before the informer shows the new slice, or a second one would be made."""
        if response.code == 201:
            name = response.doc["metadata"]["name"]
            namespace = response.doc["metadata"]["namespace"]
            if self.store("endpointslices").find(namespace, name) is None:
                self.memory.setdefault(key, {})[name] = 1
        elif response.code != 404:
            self.failed()

    def _update(self, service: Doc, entry: Doc, ports: list[Doc], endpoints: list[Doc], now: int, out: Outbox) -> None:
        labels = self._labels(service)
        meta = entry["metadata"]
        annotations = {**annotations_of(entry), behind.TRIGGER_TIME: self.stamp(now)}
        doc = {
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            **entry,
            "metadata": {**meta, "labels": labels, "annotations": annotations},
            "endpoints": endpoints,
            "ports": ports,
        }
        self._say(service, len(endpoints), out)
        self.request(
            out, "PUT", path("discovery.k8s.io/v1", "endpointslices", meta["namespace"], meta["name"]), doc=doc
        )

    def _delete(self, entry: Doc, out: Outbox) -> None:
        meta = entry["metadata"]
        self.request(out, "DELETE", path("discovery.k8s.io/v1", "endpointslices", meta["namespace"], meta["name"]))

    def _say(self, service: Doc, count: int, out: Outbox) -> None:
        meta = service["metadata"]
        key = f"{meta['namespace']}/{meta['name']}"
        noun = "endpoint" if count == 1 else "endpoints"
        self.note(out, f"services/{key}", f"Service {key} now has {count} {noun} in its slice.")


def _owned(entry: Doc, service: Doc) -> bool:
    """Whether it is this Service's own slice."""
    uid = service["metadata"]["uid"]
    return any(owner.get("uid") == uid for owner in entry["metadata"].get("ownerReferences") or ())


def _prefers_close(service: Doc) -> bool:
    """Its ready endpoints get hints; the older annotation wins, if it says Auto."""
    annotations = annotations_of(service)
    mode = next((annotations[name] for name in TOPOLOGY_MODES if name in annotations), "")
    return spec_of(service).get("trafficDistribution") == "PreferClose" and mode not in ("auto", "Auto")
