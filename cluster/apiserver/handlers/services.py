"""Addresses of Services: cluster IPs and node ports, given once and to one Service only.

A Service that needs an address claims it in the same etcd transaction that stores it, guarded by the revision of the key
``/registry/ranges/serviceips``: of two apiservers that choose at the same moment one fails and chooses again.

Simplified here: the range key is a lock with a version; which addresses are taken is read from the Services themselves
(the real one keeps bitmaps under two keys and repairs them every few minutes).

Upstream: pkg/registry/core/service/{ipallocator,portallocator,storage/alloc.go} (v1.32).
"""

from typing import Any

import orjson

from cluster.api.scheme import Resource
from cluster.apiserver import storage
from cluster.apiserver.config import SERVICE_NODE_PORTS
from cluster.apiserver.job import Job, continuation, name_of
from cluster.apiserver.registry import service_ip
from cluster.sim import Outbox
from cluster.wire.etcd import EtcdError, RangeRequest, RangeResponse

RANGE_KEY = b"/registry/ranges/serviceips"
_USED = "service-addresses"


def allocates(resource: Resource) -> bool:
    """Is it a kind that needs addresses?"""
    return resource.plural == "services" and not resource.group


def allocate_new(server: Any, job: Job, out: Outbox, then: Any) -> None:
    """Give the new Service ``job.doc`` its addresses, then go on with ``then``."""
    job.data["after"] = name_of(then)
    job.data["reallocate"] = name_of(read_range)
    job.data.setdefault("unallocated", job.doc)
    if job.data["options"].dry_run:
        job.doc = _ranges_applied(server, out, job.doc, None)
        server.go_on(job.data["after"], job, out)
        return
    read_range(server, job, out)


@continuation
def read_range(server: Any, job: Job, out: Outbox) -> None:
    """Read the lock through the quorum; the answer also says how fresh the cache of Services is."""
    server.ask(out, job, RangeRequest(out.next_id(), RANGE_KEY), range_read)


@continuation
def range_read(server: Any, job: Job, out: Outbox, answer: RangeResponse | EtcdError) -> None:
    """Choose addresses that no Service has."""
    if isinstance(answer, EtcdError):
        raise storage.etcd_error(answer)
    server.etcd_stage(job, out, "ok", "Read the revision that guards the Service address range", answer)
    seen = answer.kvs[0].mod_revision if answer.kvs else 0
    job.data["seen"] = (seen, answer.header.revision)
    services = server.state.caches["services"]
    if services.ready and services.watch:
        services.revision = max(services.revision, answer.header.revision)
    chosen(server, job, out)


@continuation
def chosen(server: Any, job: Job, out: Outbox) -> None:
    """The cache of Services is fresh: allocate and claim."""
    job.doc = _ranges_applied(server, out, job.data["unallocated"], None)
    job.data["ranges"] = (RANGE_KEY, job.data["seen"][0], _lock(server))
    server.go_on(job.data["after"], job, out)


def prepare_update(server: Any, job: Job, out: Outbox, how: Any) -> None:
    """An update of a Service may need addresses: what it takes is worked out inside the update itself."""
    from cluster.apiserver.handlers import writing

    namespace, name = job.info.namespace, job.info.name
    storage.update(server, job, out, job.resource, namespace, name, how, writing.changed)


def reallocate(server: Any, job: Job, new: dict[str, Any], old: dict[str, Any], out: Outbox) -> dict[str, Any]:
    """The updated Service with the addresses that its new type needs."""
    return _ranges_applied(server, out, new, old)


def _ranges_applied(server: Any, out: Outbox, doc: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    ranges = _ranges(server)
    allocation = service_ip.allocate(doc, old, ranges, out.dice)
    return allocation.doc


def _ranges(server: Any) -> Any:
    """What is taken: derived from the cache of Services, rebuilt when it changed."""
    view = server.view
    generation = view.generation("services")
    held = view.derived.get(_USED)
    if held is None or held[0] != generation:
        ips: set[str] = set()
        ports: set[Any] = set()
        for service in view.list("services"):
            taken = service_ip.held_by(service)
            ips.update(taken.ips)
            ports.update(taken.ports)
        held = view.derived[_USED] = (generation, ips, ports)
    return service_ip.Ranges(server.config.service_cidr, held[1], held[2])


def _lock(server: Any) -> bytes:
    low, high = SERVICE_NODE_PORTS
    doc = {"kind": "RangeAllocation", "apiVersion": "v1", "metadata": {}, "range": server.config.service_cidr,
           "nodePorts": f"{low}-{high}"}  # fmt: skip
    return orjson.dumps(doc)
