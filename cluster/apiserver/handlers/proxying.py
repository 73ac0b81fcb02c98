"""``…/proxy``: HTTP to a node, a pod or a Service by way of the apiserver.

In → any verb on ``nodes/<name>/proxy/<path>``, ``pods/<name>/proxy/…`` or ``services/<name>/proxy/…``, where a name may be
``scheme:name:port``; out → what the other side answers, or the refusals of the real server: 404 for what isn't there, 503 for a
Service without endpoints.

Simplified here: only nodes are really asked (the kubelet's own port, ``/healthz`` for instance). What runs in a pod speaks no
HTTP in this simulation, so that a request that would reach one ends in a 501 that says so.

Upstream: pkg/registry/core/{node,pod,service}/rest, .../strategy.go ``ResourceLocation`` (v1.32).
"""

from typing import Any

from cluster.api import status
from cluster.apiserver import kubelet_proxy, storage
from cluster.apiserver.job import Job, continuation
from cluster.apiserver.watch_cache import Item
from cluster.sim import Outbox

_SCHEMES = ("", "http", "https")
_KUBELET_PORT = "10250"


def proxy(server: Any, job: Job, out: Outbox) -> None:
    """Find the object that is named, then its address."""
    info, resource = job.info, job.resource
    assert resource is not None
    scheme, name, port = _parts(resource.kind, info.name)
    job.data["target"] = (scheme, name, port)
    storage.get(server, job, out, resource, info.namespace if resource.namespaced else "", name, located)


def _parts(kind: str, said: str) -> tuple[str, str, str]:
    """``name``, ``name:port`` or ``scheme:name:port`` (``util/net.SplitSchemeNamePort``)."""
    parts = said.split(":")
    if len(parts) == 1:
        return "", said, ""
    scheme, name, port = ("", *parts) if len(parts) == 2 else parts if len(parts) == 3 else ("?", "", "")
    if scheme not in _SCHEMES or not name:
        raise status.bad_request(f'invalid {kind.lower()} request "{said}"')
    return scheme, name, port


@continuation
def located(server: Any, job: Job, out: Outbox, item: Item) -> None:
    """The object exists: go on to where it is served, or say why nobody would answer."""
    resource, doc = job.resource, item.doc
    assert resource is not None
    _, name, port = job.data["target"]
    if resource.plural == "nodes":
        if port not in ("", _KUBELET_PORT):
            raise _unsimulated(f"port {port} of node {name}")
        kubelet_proxy.ask(server, job, out, name, "/" + "/".join(job.info.rest))
        return
    if resource.plural == "pods":
        if not (doc.get("status") or {}).get("podIP"):
            raise status.bad_request("address not allowed")
        raise _unsimulated(f"pod {name}")
    if resource.plural == "services":
        ports = (doc.get("spec") or {}).get("ports") or ()
        if port and not any(port in (p.get("name"), str(p["port"])) for p in ports):
            raise status.service_unavailable(f'no service port "{port}" found for service "{name}"')
        endpoints = server.view.get("endpoints", job.info.namespace, name) or {}
        if not any(subset.get("addresses") for subset in endpoints.get("subsets") or ()):
            raise status.service_unavailable(f'no endpoints available for service "{name}"')
        raise _unsimulated(f"service {name}")


def _unsimulated(what: str) -> status.ApiError:
    return status.failure(
        501, "NotImplemented", f"proxying to {what} is not simulated: programs in pods answer no HTTP requests here"
    )
