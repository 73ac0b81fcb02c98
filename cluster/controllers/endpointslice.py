"""EndpointSlice: the addresses behind a Service, at most 100 in a slice, so that one Pod's change is one small write.

In → a Service with a selector and the Pods it selects; out → slices ``<service>-<5 random>`` owned by the Service, each for
one address family and one set of ports. An endpoint says whether it is ready (new connections), serving (its Pod is
ready, even while it terminates) and terminating, on which node and in which zone.

Existing slices are changed as little as possible: what is gone is removed, what is new fills the gaps.

Simplified here: no topology hints; the trigger-time annotation says when the controller acted, to the second.

Upstream: kubernetes pkg/controller/endpointslice, staging/src/k8s.io/endpointslice/reconciler.go.
"""

from typing import Any

import orjson

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


class EndpointSliceController(Controller):
    """Keys are ``namespace/name`` of Services. Memory: service → slices that were created and not yet seen."""

    name = "endpointslice"
    user = "endpointslice-controller"
    watches = ("services", "pods", "endpointslices", "nodes")

    def __init__(self, manager: Any) -> None:
        super().__init__(manager)
        self._made: dict[tuple[str, str], tuple[Doc, Doc | None, tuple[str, bool, str], Doc | None]] = {}
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
        wanted: dict[str, tuple[list[Doc], dict[str, Doc]]] = {}
        named = any(isinstance(port.get("targetPort"), str) for port in spec_of(service).get("ports") or ())
        group: tuple[list[Doc], dict[str, Doc]] | None = None
        for pod in pods:
            if not behind.belongs(pod, include_terminating=True):
                continue
            endpoint = self._endpoint(service, family, pod)
            if endpoint is None:
                continue
            if named or group is None:  # numbers are the same in every Pod
                ports = self._ports(service, pod)
                group = wanted.setdefault(orjson.dumps(ports).decode(), (ports, {}))
            group[1][f"{endpoint['targetRef']['uid']}"] = endpoint
        existing: dict[str, list[Doc]] = {}
        for entry in slices:
            existing.setdefault(orjson.dumps(entry.get("ports") or []).decode(), []).append(entry)
        if not wanted:  # a Service without endpoints has one empty slice
            wanted["[]"] = ([], {})
        for text, (ports, endpoints) in wanted.items():
            self._group(service, family, ports, endpoints, existing.pop(text, []), now, out)
        for leftovers in existing.values():
            for entry in leftovers:
                self._delete(entry, out)

    def _group(
        self,
        service: Doc,
        family: str,
        ports: list[Doc],
        wanted: dict[str, Doc],
        slices: list[Doc],
        now: int,
        out: Outbox,
    ) -> None:
        left = dict(wanted)
        plans: list[tuple[Doc, list[Doc], bool]] = []
        for entry in slices:
            kept: list[Doc] = []
            for endpoint in entry.get("endpoints") or ():
                now_wanted = left.pop((endpoint.get("targetRef") or {}).get("uid", ""), None)
                if now_wanted is not None:
                    kept.append(now_wanted)
            plans.append((entry, kept, kept != (entry.get("endpoints") or [])))
        # Fill those that are written anyway, the fullest first, then the others, then new ones.
        for _, kept, _ in sorted(plans, key=lambda plan: (not plan[2], -len(plan[1]))):
            while left and len(kept) < MAX_ENDPOINTS:
                kept.append(left.pop(next(iter(left))))
        nonempty = any(kept for _, kept, _ in plans) or bool(left)
        placeholder = not nonempty
        for entry, kept, _ in plans:
            if not kept and not placeholder:
                self._delete(entry, out)
                continue
            placeholder = placeholder and bool(kept)  # the first empty slice may stay as the placeholder
            self._update(service, entry, kept, now, out)
        if placeholder and not plans:
            self._create(service, family, ports, [], now, out)
        rest = list(left.values())
        for start in range(0, len(rest), MAX_ENDPOINTS):
            self._create(service, family, ports, rest[start : start + MAX_ENDPOINTS], now, out)

    # -- parts ----------------------------------------------------------------------------------------------------

    def _endpoint(self, service: Doc, family: str, pod: Doc) -> Doc | None:
        """The Pod as an endpoint; None without an address of that family. Made once for all Services that say the same of it."""
        node_name = spec_of(pod).get("nodeName")
        node = self.store("nodes").get(node_name) if node_name else None
        publish = bool(spec_of(service).get("publishNotReadyAddresses"))
        asked = family, publish, behind.hostname_of(service, pod)
        key = pod["metadata"]["uid"], family
        known = self._made.get(key)
        if known is not None and known[0] is pod and known[1] is node and known[2] == asked:
            return known[3]
        endpoint = self._new_endpoint(family, publish, asked[2], pod, node)
        if len(self._made) >= REMEMBERED:
            self._made.clear()
        self._made[key] = pod, node, asked, endpoint
        return endpoint

    @staticmethod
    def _new_endpoint(family: str, publish: bool, hostname: str, pod: Doc, node: Doc | None) -> Doc | None:
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

    def _update(self, service: Doc, entry: Doc, endpoints: list[Doc], now: int, out: Outbox) -> None:
        labels = self._labels(service)
        if endpoints == (entry.get("endpoints") or []) and labels == labels_of(entry):
            return
        meta = entry["metadata"]
        annotations = {**annotations_of(entry), behind.TRIGGER_TIME: self.stamp(now)}
        doc = {
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            **entry,
            "metadata": {**meta, "labels": labels, "annotations": annotations},
            "endpoints": endpoints,
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
