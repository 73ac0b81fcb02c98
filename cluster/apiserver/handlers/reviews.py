"""Reviews: questions that are asked by creating an object which is never stored.

May I do this (SelfSubjectAccessReview), may she (SubjectAccessReview), what may I (SelfSubjectRulesReview), who am I
(SelfSubjectReview), whose token is this (TokenReview), and give me a token (TokenRequest).

Upstream: pkg/registry/{authorization,authentication}, core/serviceaccount/storage/token.go (v1.32).
"""

from typing import Any

from cluster.api import fieldmanager, jwt, status
from cluster.api.field import FieldError, invalid
from cluster.apiserver import respond
from cluster.apiserver.authentication import authenticated, service_account
from cluster.apiserver.authorization import Attributes, authorize, rbac
from cluster.apiserver.handlers import writing
from cluster.apiserver.job import Job, continuation
from cluster.apiserver.negotiation import MEDIA_TYPES
from cluster.apiserver.options import write_options
from cluster.apiserver.user import User
from cluster.sim import SECOND, Outbox
from cluster.sim.clock import rfc3339

Doc = dict[str, Any]
_DEFAULT_EXPIRATION = 3600
_SHORTEST = 10 * 60
_LONGEST = 1 << 32


def _body(server: Any, job: Job, out: Outbox, gvk: tuple[str, str, str], managed: bool = True) -> Doc:
    if job.accept.form == "Table":
        raise status.not_acceptable(MEDIA_TYPES)  # a review has no columns
    options = write_options(job.query, "CreateOptions")
    doc = writing.decode(server, job, out, gvk, options.field_validation)
    meta: Doc = {"creationTimestamp": None, **(doc.get("metadata") or {})}
    doc = {
        "kind": gvk[2],
        "apiVersion": doc["apiVersion"],
        "metadata": meta,
        **{k: v for k, v in doc.items() if k not in _HEAD},
    }
    if not managed:
        return doc
    doc = fieldmanager.updated(
        server.scheme.schema(*gvk), None, doc,
        manager=fieldmanager.manager_name(options.field_manager, job.request.header("user-agent")),
        subresource=job.info.subresource, api_version=doc["apiVersion"], now=server.view.timestamp, reset=(),
    )  # fmt: skip
    return {**doc, "metadata": {"creationTimestamp": None, **doc["metadata"]}}


_HEAD = ("kind", "apiVersion", "metadata")


def _reply(server: Any, job: Job, out: Outbox, doc: Doc, state: Doc, reason: str) -> None:
    respond.document(server, job, out, 201, {**doc, "status": state}, reason)


# -- authorization ------------------------------------------------------------------------------------------------


def access_review(server: Any, job: Job, out: Outbox) -> None:
    """(Self|Local)SubjectAccessReview."""
    resource = job.resource
    assert resource is not None
    doc = _body(server, job, out, (resource.group, resource.version, resource.kind))
    spec = doc.get("spec") or {}
    own = resource.kind == "SelfSubjectAccessReview"
    errors: list[FieldError] = []
    about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if about is not None and path is not None:
        errors.append(
            invalid("spec.nonResourceAttributes", path, "cannot be specified in combination with resourceAttributes")
        )
    elif about is None and path is None:
        errors.append(
            invalid(
                "spec.resourceAttributes",
                "null",
                "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            )
        )
    if not own and not spec.get("user") and not spec.get("groups"):
        errors.append(invalid("spec.user", "", "at least one of user or group must be specified"))
    if errors:
        raise status.invalid("authorization.k8s.io", "", "", errors)
    if resource.kind == "LocalSubjectAccessReview" and (about or {}).get("namespace") != job.info.namespace:
        raise status.bad_request(f"spec.resourceAttributes.namespace must match namespace: {job.info.namespace}")
    if own:
        user = job.user
    else:
        extra = tuple((k, tuple(v)) for k, v in (spec.get("extra") or {}).items())
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra)
    if about is not None:
        question = Attributes(
            user, about.get("verb", ""), about.get("namespace", ""), about.get("group", ""), about.get("version", ""),
            about.get("resource", ""), about.get("subresource", ""), about.get("name", ""),
        )  # fmt: skip
    else:
        path = path or {}
        question = Attributes(user, path.get("verb", ""), path=path.get("path", ""), is_resource=False)
    decision = authorize(question, server.view)
    state: Doc = {"allowed": decision.allowed}
    if decision.reason:
        state["reason"] = decision.reason
    _reply(server, job, out, doc, state, f"{user.name} {'may' if decision.allowed else 'may not'} do that")


def rules_review(server: Any, job: Job, out: Outbox) -> None:
    """SelfSubjectRulesReview: what the user may do in a namespace, as far as RBAC says."""
    doc = _body(server, job, out, ("authorization.k8s.io", "v1", "SelfSubjectRulesReview"), managed=False)
    namespace = (doc.get("spec") or {}).get("namespace", "")
    if not namespace:
        raise status.bad_request("no namespace on request")
    rules, errors = rbac.rules_for(job.user, namespace, server.view)
    if "system:masters" in job.user.groups:
        rules = [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
            *rules,
        ]
    about = [
        {key: rule[key] for key in ("verbs", "apiGroups", "resources", "resourceNames") if rule.get(key)}
        for rule in rules
        if rule.get("resources")
    ]
    paths = [{key: rule[key] for key in ("verbs", "nonResourceURLs")} for rule in rules if rule.get("nonResourceURLs")]
    state: Doc = {"resourceRules": about, "nonResourceRules": paths, "incomplete": bool(errors)}
    if errors:
        state["evaluationError"] = ", ".join(errors)
    doc = {**doc, "spec": {}}
    _reply(server, job, out, doc, state, f"{len(rules)} rules apply")


# -- authentication -----------------------------------------------------------------------------------------------


def self_subject_review(server: Any, job: Job, out: Outbox) -> None:
    """Who am I?"""
    doc = _body(server, job, out, ("authentication.k8s.io", "v1", "SelfSubjectReview"), managed=False)
    doc = {**doc, "metadata": {"creationTimestamp": server.view.timestamp}}
    _reply(server, job, out, doc, {"userInfo": job.user.document()}, f"You are {job.user.name}")


def token_review(server: Any, job: Job, out: Outbox) -> None:
    """Whose token is this?"""
    doc = _body(server, job, out, ("authentication.k8s.io", "v1", "TokenReview"))
    spec = doc.get("spec") or {}
    token = spec.get("token", "")
    if not token:
        raise status.bad_request("token is required for TokenReview in authentication")
    audiences = tuple(spec.get("audiences") or (server.config.issuer,))
    user, why = service_account.user_of_token(token, audiences, server.view)
    if user is None:
        _reply(server, job, out, doc, {"user": {}, "error": why}, "The token is not valid")
        return
    meant = [audience for audience in service_account.audiences_of(token, server.view) if audience in audiences]
    state: Doc = {"authenticated": True, "user": authenticated(user).document(), "audiences": meant}
    _reply(server, job, out, doc, state, f"The token is {user.name}'s")


# -- tokens -------------------------------------------------------------------------------------------------------


def request_token(server: Any, job: Job, out: Outbox) -> None:
    """POST serviceaccounts/<name>/token."""
    doc = _body(server, job, out, ("authentication.k8s.io", "v1", "TokenRequest"))
    job.doc = doc
    if server.view.get("serviceaccounts", job.info.namespace, job.info.name) is None:
        server.look(out, job, "serviceaccounts", sign_token)  # it may have been made a moment ago elsewhere
    else:
        sign_token(server, job, out)


@continuation
def sign_token(server: Any, job: Job, out: Outbox) -> None:
    """The account is known (or known not to be): sign."""
    view, info, doc = server.view, job.info, job.doc
    account = view.get("serviceaccounts", info.namespace, info.name)
    if account is None:
        raise status.not_found("serviceaccounts", info.name)
    spec = doc.get("spec") or {}
    seconds = spec.get("expirationSeconds") or _DEFAULT_EXPIRATION
    errors = []
    if seconds < _SHORTEST:
        errors.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    elif seconds > _LONGEST:
        errors.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
    if errors:
        raise status.invalid("authentication.k8s.io", "TokenRequest", "", errors)
    audiences = list(spec.get("audiences") or (server.config.issuer,))
    reference = spec.get("boundObjectRef")
    bound, node = _bound(reference, info.namespace, view) if reference else (None, None)
    claims = service_account.mint(account, audiences, seconds, bound, node, out.dice.uuid(), view)
    token = jwt.sign(claims, server.config.sa_private_pem)
    meta: Doc = {"name": info.name, "namespace": info.namespace, "creationTimestamp": view.timestamp}
    if "managedFields" in doc["metadata"]:
        meta["managedFields"] = doc["metadata"]["managedFields"]
    spec = {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference}
    until = rfc3339(server.config.epoch, server.now + seconds * SECOND)
    state = {"token": token, "expirationTimestamp": until}
    _reply(server, job, out, {**doc, "metadata": meta, "spec": spec}, state, f"A token for {seconds} s was signed")


_KINDS = {"Pod": ("pod", "pods"), "Secret": ("secret", "secrets"), "Node": ("node", "nodes")}


def _bound(reference: Doc, namespace: str, view: Any) -> tuple[tuple[str, Doc] | None, Doc | None]:
    kind, name = reference.get("kind", ""), reference.get("name", "")
    if kind not in _KINDS:
        raise status.bad_request(f"cannot bind token to object of type {reference.get('apiVersion', '')}, Kind={kind}")
    claim, resource = _KINDS[kind]
    held = view.get(resource, "" if kind == "Node" else namespace, name)
    if held is None:
        raise status.not_found(resource, name)
    uid = reference.get("uid")
    if uid and uid != held["metadata"]["uid"]:
        raise status.conflict(
            resource, name, f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated",
        )  # fmt: skip
    node = None
    if kind == "Pod" and held["spec"].get("nodeName"):
        node = view.get("nodes", "", held["spec"]["nodeName"])
    return (claim, held), node
