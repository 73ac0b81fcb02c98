"""Does a policy or a webhook concern this request? Its rules, its selectors and its match conditions.

A rule names operations, groups, versions, resources (``pods``, ``pods/*``, ``*/scale``, ``*``, ``*/*``) and a scope. The namespace selector
looks at the namespace's labels (at a Namespace's own), the object selector at the new or at the old object's.

Simplified here: with ``matchPolicy: Equivalent`` a rule concerns all versions of its resource, not the few resources that stand in two groups.

Upstream: apiserver/pkg/admission/plugin/webhook/predicates, .../policy/matching (v1.32).
"""

from typing import Any

from cluster.api import cel, meta, scale, selectors
from cluster.api.cel_library import Question
from cluster.apiserver.admission import Attributes, Context
from cluster.apiserver.authorization import Attributes as Asked
from cluster.apiserver.authorization import authorize
from cluster.apiserver.user import User, service_account_groups

Doc = dict[str, Any]

EXEMPT = frozenset(
    {f"{plural}.admissionregistration.k8s.io" for plural in (
        "mutatingwebhookconfigurations", "validatingwebhookconfigurations", "validatingadmissionpolicies",
        "validatingadmissionpolicybindings")}
    | {"tokenreviews.authentication.k8s.io", "selfsubjectreviews.authentication.k8s.io"}
    | {f"{plural}.authorization.k8s.io" for plural in (
        "localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews")}
)  # fmt: skip
"""What policies and webhooks never see, so that a cluster can't lock itself out."""


def concerns(match: Doc, attributes: Attributes, ctx: Context, rules: str = "resourceRules") -> bool:
    """Whether a ``MatchResources`` (or a webhook, whose ``rules`` are named so) selects the request."""
    if not _namespace_selected(match.get("namespaceSelector"), attributes, ctx):
        return False
    if not _object_selected(match.get("objectSelector"), attributes):
        return False
    exact = match.get("matchPolicy") == "Exact"
    if any(_rule(rule, attributes, exact) for rule in match.get("excludeResourceRules") or ()):
        return False
    wanted = match.get(rules) or ()
    return (not wanted and rules == "resourceRules") or any(_rule(rule, attributes, exact) for rule in wanted)


def _rule(rule: Doc, attributes: Attributes, exact: bool) -> bool:
    resource = attributes.resource
    names = rule.get("resourceNames")
    return (
        _listed(rule.get("operations"), attributes.operation)
        and _listed(rule.get("apiGroups"), resource.group)
        and (not exact or _listed(rule.get("apiVersions"), resource.version))
        and _scope(rule.get("scope") or "*", attributes)
        and any(_resource(text, resource.plural, attributes.subresource) for text in rule.get("resources") or ())
        and (not names or attributes.name in names)
    )


def _listed(values: Any, value: str) -> bool:
    return any(each in ("*", value) for each in values or ())


def _scope(scope: str, attributes: Attributes) -> bool:
    inside = attributes.resource.namespaced
    return scope == "*" or (scope == "Namespaced") is inside


def _resource(text: str, plural: str, subresource: str) -> bool:
    which, _, sub = text.partition("/")
    return which in ("*", plural) and (sub == "*" or sub == subresource)


def _namespace_selected(selector: Doc | None, attributes: Attributes, ctx: Context) -> bool:
    if not selector:
        return True
    doc = attributes.doc if attributes.doc is not None else attributes.old
    if attributes.group_resource == "namespaces":
        labels = meta.labels_of(doc) if doc is not None else {}
    elif not attributes.namespace:
        return True
    else:
        namespace = ctx.view.get("namespaces", "", attributes.namespace)
        labels = meta.labels_of(namespace) if namespace is not None else {}
    return selectors.from_struct(selector).matches(labels)


def _object_selected(selector: Doc | None, attributes: Attributes) -> bool:
    if not selector:
        return True
    wanted = selectors.from_struct(selector)
    return any(wanted.matches(meta.labels_of(doc)) for doc in (attributes.doc, attributes.old) if doc is not None)


# -- what expressions may look at ------------------------------------------------------------------------------------


def names(params: bool = False, authorizer: bool = True, variables: bool = False) -> frozenset[str]:
    """The variables of an expression."""
    found = {"object", "oldObject", "request", "namespaceObject"}
    return frozenset(found | ({"params"} if params else set()) | ({"authorizer"} if authorizer else set()) | (
        {"variables"} if variables else set()))  # fmt: skip


def values(attributes: Attributes, ctx: Context) -> Doc:
    """``object``, ``oldObject``, ``request``, ``namespaceObject`` and ``authorizer`` of a request."""
    namespace = ctx.view.get("namespaces", "", attributes.namespace) if attributes.namespace else None
    if attributes.group_resource == "namespaces":
        namespace = None
    doc, old = attributes.doc, attributes.old
    if attributes.subresource == "scale":  # who writes a Scale is judged by the Scale
        doc, old = (scale.scale_of(each, attributes.resource) if each is not None else None for each in (doc, old))
    return {
        "object": doc, "oldObject": old, "request": request(attributes),
        "namespaceObject": _without_managers(namespace), "authorizer": _authorizer(attributes, ctx),
    }  # fmt: skip


def _without_managers(doc: Doc | None) -> Doc | None:
    return meta.with_meta(doc, managedFields=None) if doc is not None else None


def request(attributes: Attributes) -> Doc:
    """``admission.k8s.io/v1 AdmissionRequest`` without the objects and the uid."""
    resource = attributes.resource
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    sub = resource.subresource(attributes.subresource) if attributes.subresource else None
    if sub is not None and sub.kind != resource.kind:
        kind = {"group": sub.group or resource.group, "version": sub.version or resource.version, "kind": sub.kind}
    which = {"group": resource.group, "version": resource.version, "resource": resource.plural}
    user = attributes.user.document()
    doc = attributes.doc if attributes.doc is not None else attributes.old
    return {
        "kind": kind, "resource": which, "subResource": attributes.subresource, "requestKind": kind, "requestResource": which,
        "requestSubResource": attributes.subresource, "name": attributes.name or (meta.name_of(doc) if doc else ""),
        "namespace": attributes.namespace, "operation": attributes.operation, "userInfo": user, "dryRun": attributes.dry_run,
    }  # fmt: skip


def _authorizer(attributes: Attributes, ctx: Context) -> Question:
    def ask(parts: dict[str, str], verb: str) -> tuple[bool, str]:
        user = attributes.user
        if account := parts.get("account"):
            namespace, _, name = account.partition("/")
            user = User(
                f"system:serviceaccount:{namespace}:{name}",
                (*service_account_groups(namespace), "system:authenticated"),
            )
        path = parts.get("path", "")
        asked = Asked(
            user, verb, parts.get("namespace", ""), parts.get("group", ""), parts.get("version", "*"), parts.get("resource", ""),
            parts.get("subresource", ""), parts.get("name", ""), path, not path,
        )  # fmt: skip
        decision = authorize(asked, ctx.view)
        return decision.allowed, decision.reason

    resource = attributes.resource
    own = {
        "group": resource.group, "resource": resource.plural, "subresource": attributes.subresource, "namespace": attributes.namespace,
        "name": attributes.name,
    }  # fmt: skip
    return Question(ask, {}, own)


def conditions_hold(conditions: Any, given: Doc, params: bool) -> tuple[bool, str]:
    """Whether all ``matchConditions`` are true; the second is the text of an error, "" for none. One that is false decides over errors."""
    troubles = []
    for condition in conditions or ():
        text = condition["expression"].strip()
        try:
            if not cel.is_true(cel.compiled(text, names(params)).evaluate(given)):
                return False, ""
        except (cel.Failure, cel.CompileError) as error:
            troubles.append(f"expression '{text}' resulted in error: {error}")
    return not troubles, ", ".join(troubles) if len(troubles) < 2 else f"[{', '.join(troubles)}]"
