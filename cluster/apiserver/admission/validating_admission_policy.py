"""ValidatingAdmissionPolicy: rules in CEL that an administrator writes, put to work by bindings.

A policy says which requests it is about and what must be true of them; nothing happens until a ValidatingAdmissionPolicyBinding names it.
The binding says where, with which parameters, and what happens to one who fails: ``Deny`` refuses, ``Warn`` tells the client, ``Audit``
writes it down (there is no audit log here: the trace shows it).

In → a request that concerns some bound policy; out → a sentence, or an ApiError whose reason the failed validation names (Invalid unless it says
another). What can't be evaluated is a refusal too, unless ``failurePolicy`` is Ignore.

Simplified here: nobody writes a policy's status (``typeChecking``); a policy works as soon as the watch cache has it (a real server looks once a second); audit annotations are evaluated only as
far as their errors refuse; params are objects of kinds that this server serves.

Upstream: apiserver/pkg/admission/plugin/policy/{validating,generic} (v1.32).
"""

from functools import partial
from typing import Any

from msgspec import Struct

from cluster.api import cel, meta, selectors, status
from cluster.apiserver.admission import Attributes, Context, matching

NAME = "ValidatingAdmissionPolicy"
MUTATES, VALIDATES = False, True
POLICIES = "validatingadmissionpolicies.admissionregistration.k8s.io"
BINDINGS = "validatingadmissionpolicybindings.admissionregistration.k8s.io"
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
MAX_MESSAGE = 5 * 1024
Doc = dict[str, Any]


class Denial(Struct):
    """One validation that failed: what it says, and the reason of the Status."""

    message: str
    reason: str = "Invalid"


class ConfigurationError(Exception):
    """The binding's parameters can't be found."""


def handles(attributes: Attributes) -> bool:
    """All requests that write, but those about policies themselves."""
    return attributes.group_resource not in matching.EXEMPT


def applies(attributes: Attributes, ctx: Context) -> bool:
    """Whether any policy is there: without one there is no stage."""
    cache = ctx.view.caches.get(BINDINGS)
    return cache is not None and bool(cache.items)


def validate(attributes: Attributes, ctx: Context) -> str:
    """Ask every bound policy. ApiError of the first that denies."""
    passed: list[str] = []
    bindings: dict[str, list[Doc]] = {}
    for binding in ctx.view.list(BINDINGS):
        bindings.setdefault(binding["spec"].get("policyName", ""), []).append(binding)
    refused: list[tuple[Doc, Doc | None, Denial]] = []
    for name in sorted(bindings):
        policy = ctx.view.get(POLICIES, "", name)
        if policy is None or not matching.concerns(policy["spec"].get("matchConstraints") or {}, attributes, ctx):
            continue
        for binding in bindings[name]:
            where = binding["spec"].get("matchResources")
            if where is not None and not matching.concerns(where, attributes, ctx):
                continue
            denials = _ask(policy, binding, attributes, ctx)
            _act(policy, binding, denials, ctx, refused)
            passed += [] if denials else [name]
    if refused:
        raise _refusal(attributes, *refused[0])
    if not passed:
        return "No bound policy is about this request"
    return f"Every validation of {', '.join(dict.fromkeys(passed))} is true"


def _ask(policy: Doc, binding: Doc, attributes: Attributes, ctx: Context) -> list[Denial]:
    """What fails, for each of the binding's parameters."""
    try:
        params = _params(policy, binding, attributes, ctx)
    except ConfigurationError as error:
        return _failed(policy, f"failed to configure binding: {error}")
    given = matching.values(attributes, ctx)
    asked = ctx.looked_at.setdefault("validations", [])
    place = {"policy": meta.name_of(policy), "binding": meta.name_of(binding)}
    denials: list[Denial] = []
    for param in params:
        rows: list[Doc] = []
        denials += _evaluate(policy, {**given, "params": param}, rows)
        asked += [{**place, **({"params": meta.name_of(param)} if param else {}), **row} for row in rows]
    return denials


def _evaluate(policy: Doc, given: Doc, asked: list[Doc]) -> list[Denial]:
    """What fails. ``asked`` gets a row for each expression that was evaluated: its text and its value."""
    spec = policy["spec"]
    has_params = bool(spec.get("paramKind"))
    if not has_params:
        given = {key: value for key, value in given.items() if key != "params"}
    matches, trouble = matching.conditions_hold(spec.get("matchConditions"), given, has_params)
    if trouble:
        asked.append({"expression": "matchConditions", "value": trouble})
        return _failed(policy, trouble)
    if not matches:
        asked.append({"expression": "matchConditions", "value": "false"})
        return []
    names = matching.names(has_params, variables=True)
    makers: dict[str, Any] = {}
    given = {**given, "variables": cel.Lazy(makers)}
    for variable in spec.get("variables") or ():
        makers[variable["name"]] = partial(_value, variable["expression"], names, given)
    denials: list[Denial] = []
    for validation in spec.get("validations") or ():
        text = validation["expression"]
        try:
            value = _value(text, names, given)
        except (cel.Failure, cel.CompileError) as error:
            asked.append({"expression": text, "value": str(error)})
            denials += _failed(policy, f"expression '{text}' resulted in error: {error}")
            continue
        asked.append({"expression": text, "value": str(cel.is_true(value)).lower()})
        if not cel.is_true(value):
            denials.append(Denial(_message(validation, names, given), validation.get("reason") or "Invalid"))
    for annotation in spec.get("auditAnnotations") or ():
        text = annotation["valueExpression"]
        try:
            _value(text, names, given)
        except (cel.Failure, cel.CompileError) as error:
            denials += _failed(policy, f"expression '{text}' resulted in error: {error}")
    return denials


def _value(text: str, names: frozenset[str], given: Doc) -> Any:
    return cel.compiled(text, names).evaluate(given)


def _message(validation: Doc, names: frozenset[str], given: Doc) -> str:
    """What the client is told: the message expression's text, else the message, else the expression."""
    said = ""
    if expression := validation.get("messageExpression"):
        try:
            said = (cel.plain(_value(expression, names, given)) or "").strip()
        except (cel.Failure, cel.CompileError):
            said = ""
    if "\n" in said or len(said.encode()) > MAX_MESSAGE:
        said = ""
    return said or (validation.get("message") or "").strip() or f"failed expression: {validation['expression'].strip()}"


def _failed(policy: Doc, message: str) -> list[Denial]:
    """An error: a refusal, unless the policy says that it is to be ignored."""
    return [] if policy["spec"].get("failurePolicy") == "Ignore" else [Denial(message)]


def _act(
    policy: Doc, binding: Doc, denials: list[Denial], ctx: Context, refused: list[tuple[Doc, Doc | None, Denial]]
) -> None:
    actions = binding["spec"].get("validationActions") or ()
    names = meta.name_of(policy), meta.name_of(binding)
    for denial in denials:
        if "Deny" in actions or denial.message.startswith("failed to configure binding:"):
            refused.append((policy, binding, denial))
        if "Warn" in actions:
            text = f"Validation failed for ValidatingAdmissionPolicy '{names[0]}' with binding '{names[1]}': {denial.message}"
            if text not in ctx.warnings:
                ctx.warnings.append(text)


def _refusal(attributes: Attributes, policy: Doc, binding: Doc | None, denial: Denial) -> status.ApiError:
    with_binding = f" with binding '{meta.name_of(binding)}'" if binding is not None else ""
    message = f"ValidatingAdmissionPolicy '{meta.name_of(policy)}'{with_binding} denied request: {denial.message}"
    doc = attributes.doc if attributes.doc is not None else attributes.old
    name = attributes.name or (meta.name_of(doc) if doc else "") or "Unknown"
    error = status.forbidden(attributes.group_resource, name, message)
    details = {**error.status["details"], "causes": [{"message": message}]}
    code = _CODES.get(denial.reason, 422)
    return status.failure(code, denial.reason, error.message, details)


# -- parameters -------------------------------------------------------------------------------------------------------


def _params(policy: Doc, binding: Doc, attributes: Attributes, ctx: Context) -> list[Doc | None]:
    """The objects that the binding points at; [None] when it needs none. ConfigurationError."""
    kind, ref = policy["spec"].get("paramKind"), binding["spec"].get("paramRef")
    if not kind or not ref:
        return [None]
    group, _, version = kind["apiVersion"].rpartition("/")
    resource = ctx.scheme.kind(group, version, kind["kind"])
    if resource is None:
        raise ConfigurationError(f"paramKind kind `{kind['apiVersion']}, Kind={kind['kind']}` not known")
    namespace = ""
    if resource.namespaced:
        namespace = ref.get("namespace") or attributes.namespace
        if not namespace:
            raise ConfigurationError(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            )
    elif ref.get("namespace"):
        raise ConfigurationError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    if ref.get("name"):
        doc = ctx.view.get(resource.group_resource, namespace, ref["name"])
        found: list[Doc | None] = [] if doc is None else [doc]
    else:
        selector = selectors.from_struct(ref.get("selector") or {})
        found = [
            doc for doc in ctx.view.list(resource.group_resource, namespace) if selector.matches(meta.labels_of(doc))
        ]
    if not found and ref.get("parameterNotFoundAction") == "Deny":
        raise ConfigurationError("no params found for policy binding with `Deny` parameterNotFoundAction")
    return found
