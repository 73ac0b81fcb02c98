"""EndpointSlice mirroring: Endpoints that people write themselves, for a Service without selector, appear as slices too.

In → Endpoints (not those of Services with a selector, nor with the label ``endpointslice.kubernetes.io/skip-mirror``); out → a slice per
subset and address family, owned by the Endpoints, for kube-proxies read only slices.

At most 1,000 addresses of a subset are mirrored, an Event says how many were skipped; IPv4 and IPv6 apart.

Simplified here: endpoints stand in the order in which they were written (upstream: in that of a Go map).

Upstream: kubernetes pkg/controller/endpointslicemirroring.
"""

import orjson

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import annotations_of, deleting, labels_of, owner_reference, path, spec_of
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox
from cluster.wire.http import HttpResponse

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
LEADER = "control-plane.alpha.kubernetes.io/leader"
MAX_ADDRESSES = 1000


class EndpointSliceMirroringController(Controller):
    """Keys are ``namespace/name`` of Endpoints. Memory: key → slices that were created and not yet seen."""

    name = "endpointslice-mirroring"
    user = "endpointslicemirroring-controller"
    watches = ("endpoints", "services", "endpointslices")

    def on_endpoints(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "DELETED":
            self.memory.pop(f"{new['metadata']['namespace']}/{new['metadata']['name']}", None)
        self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def on_services(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type != "MODIFIED" or (
            old is not None and spec_of(old).get("selector") != spec_of(new).get("selector")
        ):
            self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def on_endpointslices(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if labels_of(new).get(MANAGED_BY) != CONTROLLER:
            return
        key = f"{new['metadata']['namespace']}/{labels_of(new).get(SERVICE_NAME, '')}"
        expected = self.memory.get(key)
        if expected is not None:
            expected.pop(new["metadata"]["name"], None)
            if not expected:
                del self.memory[key]
        self.enqueue(out, key)

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        endpoints, service = self.store("endpoints").get(key), self.store("services").get(key)
        if self.memory.get(key):
            return
        namespace, _, name = key.partition("/")
        slices = [
            s
            for s in self.store("endpointslices").by(f"label:{SERVICE_NAME}", name)
            if s["metadata"]["namespace"] == namespace
            and labels_of(s).get(MANAGED_BY) == CONTROLLER
            and not deleting(s)
        ]
        wanted: list[Doc] = []
        if endpoints is not None and service is not None and self._mirrored(endpoints, service):
            wanted, skipped = self._slices(endpoints)
            if skipped:
                self.event(out, endpoints, "endpoints", "Warning", "TooManyAddressesToMirror",
                           f"A max of {MAX_ADDRESSES} addresses can be mirrored to EndpointSlices per Endpoints subset. {skipped} addresses were skipped")  # fmt: skip
        for doc in wanted:
            same = next((s for s in slices if _content(s) == _content(doc)), None)
            if same is not None:
                slices.remove(same)
                continue
            near = next((s for s in slices if _shape(s) == _shape(doc)), None)
            if near is not None and endpoints is not None:
                slices.remove(near)
                meta = near["metadata"]
                changed = {
                    **near,
                    "kind": "EndpointSlice",
                    "apiVersion": "discovery.k8s.io/v1",
                    "endpoints": doc["endpoints"],
                }
                self.request(
                    out, "PUT", path("discovery.k8s.io/v1", "endpointslices", namespace, meta["name"]), doc=changed
                )
            else:
                self.request(out, "POST", path("discovery.k8s.io/v1", "endpointslices", namespace), doc=doc, then="made",
                             args=(key,))  # fmt: skip
        for stale in slices:
            meta = stale["metadata"]
            self.request(out, "DELETE", path("discovery.k8s.io/v1", "endpointslices", namespace, meta["name"]))

    def made(self, response: HttpResponse, key: str, now: int, out: Outbox) -> None:
        """Wait until the informer shows it, or a second one would be made."""
        if response.code == 201:
            meta = response.doc["metadata"]
            if self.store("endpointslices").find(meta["namespace"], meta["name"]) is None:
                self.memory.setdefault(key, {})[meta["name"]] = 1
        elif response.code != 404:
            self.failed()

    @staticmethod
    def _mirrored(endpoints: Doc, service: Doc) -> bool:
        skipped = labels_of(endpoints).get(SKIP) == "true" or LEADER in annotations_of(endpoints)
        return not skipped and not spec_of(service).get("selector") and not deleting(endpoints)

    def _slices(self, endpoints: Doc) -> tuple[list[Doc], int]:
        """(the slices, how many addresses were too many): one slice for the same ports and family, whatever subset says so."""
        made: dict[bytes, Doc] = {}
        skipped = 0
        meta = endpoints["metadata"]
        labels = {k: v for k, v in labels_of(endpoints).items() if k not in (MANAGED_BY, SERVICE_NAME)}
        annotations = {
            k: v for k, v in annotations_of(endpoints).items() if k != TRIGGER_TIME and "last-applied" not in k
        }
        for subset in endpoints.get("subsets") or ():
            addresses = [(a, True) for a in subset.get("addresses") or ()]
            addresses += [(a, False) for a in subset.get("notReadyAddresses") or ()]
            skipped += max(0, len(addresses) - MAX_ADDRESSES)
            addresses = addresses[:MAX_ADDRESSES]
            ports = [{"name": p.get("name", ""), "protocol": p.get("protocol", "TCP"), "port": p["port"]}
                     for p in subset.get("ports") or ()]  # fmt: skip
            for family in ("IPv4", "IPv6"):
                chosen = [(a, r) for a, r in addresses if (":" in a["ip"]) == (family == "IPv6")]
                if not chosen:
                    continue
                key = orjson.dumps((family, ports))
                if key in made:
                    ends = made[key]["endpoints"]
                    more = [_endpoint(address, ready) for address, ready in chosen]
                    ends += [one for one in more if one["addresses"] not in [known["addresses"] for known in ends]]
                    del ends[MAX_ADDRESSES:]
                    continue
                doc: Doc = {
                    "kind": "EndpointSlice",
                    "apiVersion": "discovery.k8s.io/v1",
                    "metadata": {
                        "generateName": f"{meta['name']}-",
                        "namespace": meta["namespace"],
                        "labels": {**labels, MANAGED_BY: CONTROLLER, SERVICE_NAME: meta["name"]},
                        "ownerReferences": [owner_reference(endpoints, "v1", "Endpoints")],
                    },
                    "addressType": family,
                    "endpoints": [_endpoint(address, ready) for address, ready in chosen],
                    "ports": ports,
                }
                if annotations:
                    doc["metadata"]["annotations"] = annotations
                made[key] = doc
        return list(made.values()), skipped

    @property
    def event_source(self) -> str:
        return "endpoint-slice-mirroring-controller"


def _endpoint(address: Doc, ready: bool) -> Doc:
    endpoint: Doc = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for name in ("hostname", "targetRef", "nodeName"):
        if address.get(name):
            endpoint[name] = address[name]
    return endpoint


def _shape(doc: Doc) -> tuple[str, list[Doc]]:
    return doc["addressType"], doc.get("ports") or []


def _content(doc: Doc) -> tuple[tuple[str, list[Doc]], list[Doc]]:
    return _shape(doc), doc.get("endpoints") or []
