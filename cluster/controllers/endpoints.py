"""Endpoints: the older form of EndpointSlice, one object per Service, ready and not ready addresses apart.

In → a Service with a selector and its Pods; out → Endpoints of the same name with subsets of addresses that share ports.

Simplified here: no truncation at 1,000 addresses; IPv4 first; the trigger-time annotation says when the controller acted.

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
        if known is not None and (known.get("subsets") or []) == subsets and labels_of(known) == labels:
            return
        meta = known["metadata"] if known is not None else {"name": name, "namespace": namespace}
        annotations = {**(annotations_of(known) if known is not None else {}), behind.TRIGGER_TIME: self.stamp(now)}
        doc = {
            "kind": "Endpoints",
            "apiVersion": "v1",
            "metadata": {**meta, "annotations": annotations, **({"labels": labels} if labels else {})},
            "subsets": subsets,
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
        groups: dict[bytes, tuple[list[Doc], list[Doc], list[Doc]]] = {}
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
            ports = self._ports(service, pod)
            if ports is None:
                continue
            group = groups.setdefault(orjson.dumps(ports), (ports, [], []))
            group[1 if publish or is_ready(pod) else 2].append(address)
        subsets: list[Doc] = []
        for _, (ports, ready, not_ready) in sorted(groups.items()):
            subset: Doc = {}
            if ready:
                subset["addresses"] = sorted(ready, key=_address_order)
            if not_ready:
                subset["notReadyAddresses"] = sorted(not_ready, key=_address_order)
            if ports:
                subset["ports"] = ports
            subsets.append(subset)
        return subsets

    @staticmethod
    def _ports(service: Doc, pod: Doc) -> list[Doc] | None:
        """None: none of the Service's ports means anything in this Pod."""
        wanted = spec_of(service).get("ports") or []
        ports: list[Doc] = []
        for port in wanted:
            number = behind.find_port(pod, port)
            if number is None:
                continue
            entry: Doc = {"name": port["name"]} if port.get("name") else {}
            entry.update(port=number, protocol=port.get("protocol", "TCP"))
            if port.get("appProtocol"):
                entry["appProtocol"] = port["appProtocol"]
            ports.append(entry)
        return None if wanted and not ports else ports


def _address_order(address: Doc) -> tuple[bytes, str]:
    ip: str = address["ip"]
    packed = bytes(int(part) for part in ip.split(".")) if ":" not in ip else ip.encode()
    return packed, address["targetRef"]["uid"]
