"""Endpoints: the older form of EndpointSlice, one object per Service, ready and not ready addresses apart.

In → a Service with a selector and its Pods; out → Endpoints of the same name with subsets of addresses that share ports.

More than 1,000 addresses are cut, and the annotation ``endpoints.kubernetes.io/over-capacity: truncated`` says so; slices have them all.

Simplified here: IPv4 first; ports stand in the Service's order and subsets in that of their ports (upstream: by MD5 of their memory); the trigger-time
annotation says when the controller acted; Endpoints whose Service went while no controller ran are left.

Upstream: kubernetes pkg/controller/endpoint/endpoints_controller.go, pkg/api/v1/endpoints/util.go (RepackSubsets).
"""

import orjson

from cluster.clientgo import Doc, reason_of
from cluster.controllers.lib import endpoints as behind
from cluster.controllers.lib.meta import annotations_of, deleting, labels_of, path, spec_of, status_of
from cluster.controllers.lib.pods import is_ready
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox
from cluster.wire.http import HttpResponse

MAX_CAPACITY = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"


class EndpointsController(Controller):
    """Keys are ``namespace/name`` of Services."""

    name = "endpoints"
    user = "endpoint-controller"
    watches = ("services", "pods", "endpoints")

    def on_services(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "MODIFIED" and old is not None and not behind.changed(old, new):
            return
        namespace = new["metadata"]["namespace"]
        for service in self.store("services").by("namespace", namespace):
            if behind.selects(service, new) or (old is not None and behind.selects(service, old)):
                self.enqueue(out, f"{namespace}/{service['metadata']['name']}")

    def on_endpoints(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "DELETED":
            self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        namespace, _, name = key.partition("/")
        service = self.store("services").get(key)
        known = self.store("endpoints").get(key)
        if service is None:
            if known is not None and not deleting(known):
                self.request(out, "DELETE", path("v1", "endpoints", namespace, name))
            return
        if not spec_of(service).get("selector") or spec_of(service).get("type") == "ExternalName":
            return
        subsets = self._subsets(service)
        labels = {k: v for k, v in labels_of(service).items() if k != behind.HEADLESS}
        if behind.headless(service):
            labels[behind.HEADLESS] = ""
        same = known is not None and (known.get("subsets") or []) == subsets and labels_of(known) == labels
        if same and known is not None and capacity_said(known):
            return
        meta = known["metadata"] if known is not None else {"name": name, "namespace": namespace}
        annotations = {**(annotations_of(known) if known is not None else {}), behind.TRIGGER_TIME: self.stamp(now)}
        annotations.pop(OVER_CAPACITY, None)
        fitting = truncated(subsets)
        if fitting is not None:
            annotations[OVER_CAPACITY] = "truncated"
        doc = {
            "kind": "Endpoints",
            "apiVersion": "v1",
            "metadata": {**meta, "annotations": annotations, **({"labels": labels} if labels else {})},
            "subsets": subsets if fitting is None else fitting,
        }
        if not labels:
            doc["metadata"].pop("labels", None)
        if known is None:
            self.request(out, "POST", path("v1", "endpoints", namespace), doc=doc, then="created")
        else:
            self.request(out, "PUT", path("v1", "endpoints", namespace, name), doc=doc)

    def created(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """Already there: the informer was slow, its event is on the way."""
        if response.code != 201 and response.code != 404 and reason_of(response) != "AlreadyExists":
            self.failed()

    def _subsets(self, service: Doc) -> list[Doc]:
        """Ports that the same addresses offer share a subset (``RepackSubsets``): a Pod that lacks one of the ports stands apart for that one only."""
        offered: dict[bytes, tuple[Doc | None, dict[str, tuple[Doc, bool]]]] = {}
        publish = bool(spec_of(service).get("publishNotReadyAddresses"))
        namespace = service["metadata"]["namespace"]
        for pod in self.store("pods").by("namespace", namespace):
            if not behind.selects(service, pod) or not behind.belongs(pod, include_terminating=publish):
                continue
            address: Doc = {"ip": status_of(pod)["podIP"]}
            hostname = behind.hostname_of(service, pod)
            if hostname:
                address["hostname"] = hostname
            if spec_of(pod).get("nodeName"):
                address["nodeName"] = spec_of(pod)["nodeName"]
            address["targetRef"] = behind.target_ref(pod)
            for port in self._ports(service, pod):
                addresses = offered.setdefault(orjson.dumps(port), (port, {}))[1]
                addresses[pod["metadata"]["uid"]] = (address, publish or is_ready(pod))
        groups: dict[tuple[tuple[str, bool], ...], list[Doc]] = {}
        found: dict[tuple[tuple[str, bool], ...], list[tuple[Doc, bool]]] = {}
        for port, addresses in offered.values():
            key = tuple(sorted((uid, ready) for uid, (_, ready) in addresses.items()))
            groups.setdefault(key, []).extend([port] if port else [])
            found[key] = list(addresses.values())
        return sorted(
            (_subset(groups[key], found[key]) for key in groups), key=lambda one: orjson.dumps(one.get("ports"))
        )

    @staticmethod
    def _ports(service: Doc, pod: Doc) -> list[Doc | None]:
        """The Service's ports as this Pod has them; None alone stands for a headless Service without ports."""
        wanted = spec_of(service).get("ports") or []
        ports: list[Doc | None] = []
        for port in wanted:
            number = behind.find_port(pod, port)
            if number is None:
                continue
            entry: Doc = {"name": port["name"]} if port.get("name") else {}
            entry.update(port=number, protocol=port.get("protocol", "TCP"))
            if port.get("appProtocol"):
                entry["appProtocol"] = port["appProtocol"]
            ports.append(entry)
        return ports if wanted else [None] if behind.headless(service) else []


def _subset(ports: list[Doc], addresses: list[tuple[Doc, bool]]) -> Doc:
    subset: Doc = {}
    for name, wanted in (("addresses", True), ("notReadyAddresses", False)):
        held = sorted((address for address, ready in addresses if ready == wanted), key=_address_order)
        if held:
            subset[name] = held
    return subset | ({"ports": ports} if ports else {})


def truncated(subsets: list[Doc]) -> list[Doc] | None:
    """At most ``MAX_CAPACITY`` addresses, ready ones first, each subset in proportion; None: there are no more than that."""
    ready = sum(len(one.get("addresses") or ()) for one in subsets)
    waiting = sum(len(one.get("notReadyAddresses") or ()) for one in subsets)
    if ready + waiting <= MAX_CAPACITY:
        return None
    cut = "addresses" if ready > MAX_CAPACITY else "notReadyAddresses"
    room, whole = (MAX_CAPACITY, ready) if ready > MAX_CAPACITY else (MAX_CAPACITY - ready, waiting)
    left = room
    kept: list[Doc] = []
    for one in subsets:
        held = one.get(cut) or []
        shown = held[: min(-(-len(held) * room // whole), left)]
        left -= len(shown)
        rest = {key: value for key, value in one.items() if key == "ports" or (key == "addresses" and cut != key)}
        kept.append({**({cut: shown} if shown else {}), **rest})
    return kept


def capacity_said(known: Doc) -> bool:
    """Whether its annotation is as its size wants it: none, and no more addresses than fit."""
    held = sum(
        len(one.get(name) or ()) for one in known.get("subsets") or () for name in ("addresses", "notReadyAddresses")
    )
    return held <= MAX_CAPACITY and OVER_CAPACITY not in annotations_of(known)


def _address_order(address: Doc) -> tuple[str, str]:
    """By the address as text, as upstream: 10.244.1.10 comes before 10.244.1.2."""
    return address["ip"], address["targetRef"]["uid"]
