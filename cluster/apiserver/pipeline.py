"""A request's way in, as a list of stages in the real server's order. This file is the map; each stage's work is elsewhere.

``FILTERS`` run for every request: tls, authentication, audit, impersonation, priority-and-fairness, authorization. Then the
request goes to its handler. What writes an object goes on through ``admit``: mutating admission, strategy,
validation, validating admission, after which storage puts it into etcd and ``respond`` answers.

Every stage notes its verdict and the reason in one sentence. A refusal is an ``ApiError``, raised where it is decided.

Upstream: apiserver/pkg/server/config.go ``DefaultBuildHandlerChain``; apiserver/pkg/registry/generic/registry/store.go.
"""

from functools import lru_cache
from typing import Any

from cluster.api import status
from cluster.api.status import ApiError
from cluster.apiserver import admission, authentication, authorization, impersonation, priority_and_fairness, registry
from cluster.apiserver.authorization import Attributes
from cluster.apiserver.handlers import dispatch
from cluster.apiserver.job import ADMISSION_COST, Job
from cluster.apiserver.negotiation import negotiate
from cluster.apiserver.view import here, raised_at
from cluster.sim import Outbox
from cluster.wire.http import TlsPeer


def start(server: Any, job: Job, out: Outbox) -> None:
    """Walk the filters, then the handler."""
    for stage in FILTERS:
        stage(server, job, out)
    dispatch.handle(server, job, out)


def tls(server: Any, job: Job, out: Outbox) -> None:
    """What the handshake said. The connection is open already; here it is only put on record."""
    request = job.request
    job.accept = negotiate("", request.header("user-agent"), job.query.get("pretty"), "Metadata")
    reason, detail = _handshake(request.peer)
    job.stage(out, "tls", "ok", reason, here(), detail)


@lru_cache(maxsize=1024)
def _handshake(peer: TlsPeer) -> tuple[str, dict[str, Any]]:
    if peer.common_name:
        reason = f"{peer.version}; the client showed a certificate for {peer.common_name}"
    elif peer.error:
        reason = f"{peer.version}; the client's certificate did not verify: {peer.error}"
    else:
        reason = f"{peer.version}; the client showed no certificate"
    return reason, {"version": peer.version, "cipher": peer.cipher, "organizations": list(peer.organizations)}


def authenticate(server: Any, job: Job, out: Outbox) -> None:
    """Who is this?"""
    verdict, tried = authentication.authenticate(job.request, server.view)
    if verdict.user is None:
        job.stage(out, "authentication", "deny", f"{verdict.reason}: {verdict.error}", verdict.source, tried)
        job.audit_id = out.dice.uuid()
        raise authentication.refuse()
    job.user = verdict.user
    job.stage(out, "authentication", "allow", verdict.reason, verdict.source, tried)


def audit(server: Any, job: Job, out: Outbox) -> None:
    """Give the request the id that the audit log would know it by."""
    job.audit_id = job.request.header("audit-id") or out.dice.uuid()
    job.stage(out, "audit", "ok", "No audit policy is configured, so nothing is logged; the request got its Audit-ID",
              here(), {"auditID": job.audit_id})  # fmt: skip


def impersonate(server: Any, job: Job, out: Outbox) -> None:
    """Act as somebody else, if headers ask for it and the user may."""
    impersonation.impersonate(server, job, out)


def fair_share(server: Any, job: Job, out: Outbox) -> None:
    """Find the flow and take a seat."""
    job.asks = attributes_of(job)
    flow, seats = priority_and_fairness.classify(job.asks, server.view)
    job.flow = flow
    job.seat = True
    used = server.state.seats[flow.level] = server.state.seats.get(flow.level, 0) + 1
    reason = f'FlowSchema "{flow.schema}" puts it into priority level "{flow.level}"'
    job.stage(
        out, "priority-and-fairness", "allow", reason, here(), {"seatsInUse": used, "seats": seats or "unlimited"}
    )


def authorize(server: Any, job: Job, out: Outbox) -> None:
    """May this user do this?"""
    attributes = job.asks or attributes_of(job)
    decision = authorization.authorize(attributes, server.view)
    if decision.allowed:
        reason = decision.said or decision.reason
        job.stage(out, "authorization", "allow", reason, decision.source, list(decision.tried) or None)
        return
    message = authorization.forbidden_message(attributes, decision.reason)
    job.stage(out, "authorization", "deny", decision.said or message, decision.source, list(decision.tried))
    job.data["nosniff"] = True  # only what the filter itself writes has this header (responsewriters.Forbidden)
    if not attributes.is_resource:
        raise status.forbidden_path(message)
    group = f".{attributes.group}" if attributes.group else ""
    raise status.forbidden(attributes.resource + group, attributes.name, message)


FILTERS = (tls, authenticate, audit, impersonate, fair_share, authorize)


def attributes_of(job: Job) -> Attributes:
    """The question that authorization is asked about ``job``."""
    info = job.info
    return Attributes(
        job.user, info.verb, info.namespace, info.group, info.version, info.resource, info.subresource, info.name,
        info.path, info.is_resource,
    )  # fmt: skip


# -- writing ------------------------------------------------------------------------------------------------------


def admit(server: Any, job: Job, out: Outbox, attributes: admission.Attributes, ctx: admission.Context) -> Any:
    """Mutating admission, strategy, validation, validating admission. The object to store, or ApiError."""
    resource, old = attributes.resource, attributes.old
    creating = attributes.operation == "CREATE"
    doc = attributes.doc
    for plugin in admission.plugins_for(resource.group_resource):
        if plugin.MUTATES and admission.asked(plugin, attributes, ctx):
            doc = _mutate(plugin, job, out, attributes, ctx)
            attributes.doc = doc
    before = doc
    if ctx.allocate is not None:
        doc = ctx.allocate(doc, old)
    if creating:
        doc = _system_fields(doc, ctx)
    strategy = registry.strategy_for(resource, attributes.subresource)
    prepared = (
        strategy.prepare_for_create(doc, ctx.rest) if creating else strategy.prepare_for_update(doc, old, ctx.rest)
    )
    source = source_of(strategy.on_create if creating else strategy.on_update)
    if prepared is not before:
        reason = f"The {resource.kind} strategy set the fields a client may not"
        job.stage(out, "strategy", "change", reason, source, None, before, prepared)
    else:
        job.stage(out, "strategy", "ok", f"The {resource.kind} strategy changed nothing", source)
    doc = attributes.doc = prepared
    errors = strategy.validate(doc, ctx.rest) if creating else strategy.validate_update(doc, old, ctx.rest)
    source = source_of(strategy.check if creating else strategy.check_update)
    if errors:
        error = status.invalid(
            resource.group, resource.kind, attributes.name or doc["metadata"].get("name", ""), errors
        )
        job.stage(out, "validation", "deny", error.message[:400], source, [_said(e) for e in errors])
        raise error
    job.stage(out, "validation", "ok", f"The {resource.kind} is valid", source)
    for text in strategy.warnings(doc, old):
        if text not in job.warnings:
            job.warnings.append(text)
    validate(server, job, out, attributes, ctx)
    return attributes.doc


def _said(error: Any) -> dict[str, str]:
    return {"field": error.field, "reason": error.reason, "message": error.message}


def source_of(function: Any) -> str:
    """``module:line`` where ``function`` begins."""
    return _begins(getattr(function, "__func__", function))


@lru_cache(maxsize=1024)
def _begins(function: Any) -> str:
    return f"{function.__module__}:{function.__code__.co_firstlineno}"


_FIRST = ("name", "generateName", "namespace")
_BEFORE_UID = (*_FIRST, "uid", "resourceVersion", "generation")


def _system_fields(doc: Any, ctx: admission.Context) -> Any:
    """A new object's uid, creationTimestamp and, with generateName, its name (``rest.FillObjectMetaSystemFields``)."""
    said = doc["metadata"]
    meta = {key: said[key] for key in _FIRST if key in said}
    base = said.get("generateName")
    if base and not said.get("name"):
        meta = {"name": base[:58] + ctx.dice.suffix(5), **meta}
    meta["uid"] = ctx.dice.uuid()
    if said.get("generation"):
        meta["generation"] = said["generation"]
    meta["creationTimestamp"] = ctx.rest.now
    meta.update((key, value) for key, value in said.items() if key not in meta and key not in _BEFORE_UID)
    return {**doc, "metadata": meta}


def validate(server: Any, job: Job, out: Outbox, attributes: admission.Attributes, ctx: admission.Context) -> None:
    """Validating admission alone, as deletions get it."""
    for plugin in admission.plugins_for(attributes.resource.group_resource):
        if plugin.VALIDATES and admission.asked(plugin, attributes, ctx):
            stage = f"validating-admission/{plugin.NAME}"
            ctx.looked_at = {}
            try:
                reason = plugin.validate(attributes, ctx)
            except ApiError as error:
                detail = ctx.looked_at or None
                job.stage(out, stage, "deny", error.message[:400], raised_at(error), detail, cost=ADMISSION_COST)
                raise
            source = source_of(plugin.validate)
            detail = ctx.looked_at or None
            job.stage(out, stage, "allow", reason or "It has no objection", source, detail, cost=ADMISSION_COST)


def _mutate(plugin: Any, job: Job, out: Outbox, attributes: admission.Attributes, ctx: admission.Context) -> Any:
    stage = f"mutating-admission/{plugin.NAME}"
    before = attributes.doc
    ctx.looked_at = {}
    try:
        after, reason = plugin.mutate(attributes, ctx)
    except ApiError as error:
        detail = ctx.looked_at or None
        job.stage(out, stage, "deny", error.message[:400], raised_at(error), detail, cost=ADMISSION_COST)
        raise
    source = source_of(plugin.mutate)
    detail = ctx.looked_at or None
    if after is before:
        job.stage(out, stage, "ok", reason or "It had nothing to change", source, detail, cost=ADMISSION_COST)
    else:
        job.stage(out, stage, "change", reason, source, detail, before, after, ADMISSION_COST)
    return after
