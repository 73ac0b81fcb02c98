"""Addresses of Services: cluster IPs and node ports, given once and to one Service only.

A Service that needs an address claims it in the same etcd transaction that stores it, guarded by the revision of the key
``/registry/ranges/serviceips``: of two apiservers that choose at the same moment one fails and chooses again.

Simplified here: the range key is a lock with a version; which addresses are taken is read from the Services themselves
(the real one keeps bitmaps under two keys and repairs them every few minutes). Updates choose without the lock.

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


def claim(server: Any, job: Job, out: Outbox, then: Any) -> None:
    """Before a new Service is admitted: read the lock, so that what is chosen can be claimed; then go on."""
    job.data["after"] = name_of(then)
    job.data["reallocate"] = name_of(read_range)
    job.data["unallocated"] = job.doc
    read_range(server, job, out)


@continuation
def read_range(server: Any, job: Job, out: Outbox) -> None:
    """Read the lock through the quorum; the answer also says how fresh the cache of Services is."""
    server.ask(out, job, RangeRequest(out.next_id(), RANGE_KEY), range_read)


@continuation
def range_read(server: Any, job: Job, out: Outbox, answer: RangeResponse | EtcdError) -> None:
    """The lock's revision is known, and no Service acknowledged before is missing from the cache."""
    if isinstance(answer, EtcdError):
        raise storage.etcd_error(answer)
    server.etcd_stage(job, out, "ok", "Read the revision that guards the Service address range", answer)
    services = server.state.caches["services"]
    if services.synced:
        services.revision = max(services.revision, answer.header.revision)
    job.data["ranges"] = (RANGE_KEY, answer.kvs[0].mod_revision if answer.kvs else 0, _lock(server))
    job.doc = job.data["unallocated"]
    server.go_on(job.data["after"], job, out)


def allocate(server: Any, doc: dict[str, Any], old: dict[str, Any] | None, dice: Any) -> dict[str, Any]:
    """The Service with the addresses it needs. ApiError 422 when those it asks for can't be had."""
    return service_ip.allocate(doc, old, _ranges(server), dice).doc


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
