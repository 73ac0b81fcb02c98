"""Which Pods stand behind a Service, and under which ports.

Upstream: kubernetes staging/src/k8s.io/endpointslice/{utils,reconciler}.go, pkg/controller/endpoint.
"""

from typing import Any

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import deleting, labels_of, spec_of, status_of
from cluster.controllers.lib.pods import is_ready, phase

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"


def belongs(pod: Doc, include_terminating: bool) -> bool:
    """It has an address and isn't finished (ShouldPodBeInEndpoints)."""
    if phase(pod) in ("Succeeded", "Failed") or not status_of(pod).get("podIP"):
        return False
    return include_terminating or not deleting(pod)


def changed(old: Doc, new: Doc) -> bool:
    """Whether the change matters to any Service (podEndpointsChanged)."""
    return _facts(old) != _facts(new)


def _facts(pod: Doc) -> tuple[Any, ...]:
    spec, status = spec_of(pod), status_of(pod)
    return (
        labels_of(pod), status.get("podIP"), status.get("podIPs"), spec.get("nodeName"), spec.get("hostname"),
        spec.get("subdomain"), is_ready(pod), deleting(pod), phase(pod) in ("Succeeded", "Failed"),
    )  # fmt: skip


def selects(service: Doc, pod: Doc) -> bool:
    """Whether the Service's selector matches; a Service without selector selects nothing."""
    selector = spec_of(service).get("selector")
    if not selector:
        return False
    return selector.items() <= labels_of(pod).items()


def find_port(pod: Doc, port: Doc) -> int | None:
    """The number that ``targetPort`` means in this Pod (podutil.FindPort); None if it has no port of that name."""
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    protocol = port.get("protocol", "TCP")
    containers = [*spec_of(pod).get("containers", ()), *(
        c for c in spec_of(pod).get("initContainers") or () if c.get("restartPolicy") == "Always")]  # fmt: skip
    for container in containers:
        for entry in container.get("ports") or ():
            if entry.get("name") == target and entry.get("protocol", "TCP") == protocol:
                return entry["containerPort"]
    return None


def hostname_of(service: Doc, pod: Doc) -> str:
    """The name it has in the Service's subdomain, if it has one."""
    spec = spec_of(pod)
    same = spec.get("subdomain") == service["metadata"]["name"]
    return spec.get("hostname", "") if same and spec.get("hostname") else ""


def headless(service: Doc) -> bool:
    """clusterIP None."""
    return spec_of(service).get("clusterIP") == "None"


def target_ref(pod: Doc) -> Doc:
    """The reference an endpoint carries to its Pod."""
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
