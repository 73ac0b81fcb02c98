"""From a request to its handler: is the resource served, does it have this verb, who does the work.

Upstream: apiserver/pkg/endpoints/installer.go (v1.32).
"""

from collections.abc import Callable
from typing import Any

from cluster.api import status
from cluster.apiserver import kubelet_proxy, watching
from cluster.apiserver.handlers import (
    connecting,
    deletion,
    nonresource,
    proxying,
    reading,
    reviews,
    subresources,
    writing,
)
from cluster.apiserver.job import Job
from cluster.apiserver.negotiation import negotiate
from cluster.sim import Outbox

Handler = Callable[[Any, Job, Outbox], None]

VERBS: dict[str, Handler] = {
    "get": reading.get,
    "list": reading.list_objects,
    "watch": watching.start,
    "create": writing.create,
    "update": writing.update,
    "patch": writing.patch,
    "delete": deletion.delete,
    "deletecollection": deletion.delete_collection,
}
"""The ordinary verbs of a stored resource."""

SPECIAL: dict[tuple[str, str], Handler] = {
    ("pods/binding", "create"): subresources.bind,
    ("bindings", "create"): subresources.bind,
    ("pods/eviction", "create"): subresources.evict,
    ("pods/log", "get"): kubelet_proxy.logs,
    ("pods/exec", "get"): connecting.connect,
    ("pods/exec", "create"): connecting.connect,
    ("pods/attach", "get"): connecting.connect,
    ("pods/attach", "create"): connecting.connect,
    ("pods/portforward", "get"): connecting.connect,
    ("pods/portforward", "create"): connecting.connect,
    ("serviceaccounts/token", "create"): reviews.request_token,
    ("tokenreviews", "create"): reviews.token_review,
    ("selfsubjectreviews", "create"): reviews.self_subject_review,
    ("selfsubjectaccessreviews", "create"): reviews.access_review,
    ("subjectaccessreviews", "create"): reviews.access_review,
    ("localsubjectaccessreviews", "create"): reviews.access_review,
    ("selfsubjectrulesreviews", "create"): reviews.rules_review,
    ("componentstatuses", "get"): nonresource.component_status,
    ("componentstatuses", "list"): nonresource.component_statuses,
}
"""Resources and subresources that are not simply stored."""

_METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "update": "PUT", "patch": "PATCH",
            "delete": "DELETE", "deletecollection": "DELETE"}  # fmt: skip


def handle(server: Any, job: Job, out: Outbox) -> None:
    """Hand ``job`` to whom it concerns."""
    info = job.info
    if not info.is_resource:
        nonresource.handle(server, job, out)
        return
    scheme = server.scheme
    resource = scheme.resource(info.group, info.version, info.resource)
    if resource is None:
        known = not info.group or bool(scheme.versions(info.group))
        raise status.resource_not_served() if known else status.page_not_found()
    job.resource = resource
    verbs = resource.verbs
    full = resource.plural
    if info.subresource:
        job.subresource = resource.subresource(info.subresource)
        if job.subresource is None:
            raise status.resource_not_served()
        verbs = job.subresource.verbs
        full = f"{full}/{info.subresource}"
    verb = info.verb
    _route(job, resource)
    named = bool(info.name) and info.path.rstrip("/").count("/") > _collection_depth(info)
    if (
        _METHODS.get(verb) != job.request.method
        or (verb not in verbs and not (verb == "watch" and "watch" in resource.verbs))
        or (verb == "create" and named and not info.subresource)
        or (verb in ("update", "patch") and not named)
    ):
        raise status.method_not_allowed()
    if verb not in ("watch",) or "as=" in job.request.header("accept"):
        request = job.request
        job.accept = negotiate(
            request.header("accept"), request.header("user-agent"), job.query.get("pretty"),
            job.query.get("includeObject", "Metadata"),
        )  # fmt: skip
    if info.subresource == "proxy" and resource.stored and not resource.group:
        proxying.proxy(server, job, out)
        return
    handler = SPECIAL.get((full, verb)) if not resource.group or not resource.stored else None
    (handler or VERBS[verb])(server, job, out)


def _route(job: Job, resource: Any) -> None:
    """Does the path exist at all? A namespaced kind's objects only do within a namespace, others' never; across all
    namespaces there are only GETs of lists."""
    info = job.info
    within = bool(info.namespace) and info.resource != "namespaces"
    if within and not resource.namespaced:
        raise status.resource_not_served()
    if resource.namespaced and not within and resource.stored:
        if info.path.rstrip("/").count("/") > _collection_depth(info):
            raise status.resource_not_served()
        if job.request.method != "GET":
            raise status.method_not_allowed()


def _collection_depth(info: Any) -> int:
    """How many slashes the path of the resource's collection has."""
    depth = 4 if info.group else 3
    if info.namespace and info.resource != "namespaces":
        depth += 2
    return depth + (1 if "/watch/" in info.path else 0)
