"""ValidatingAdmissionPolicies, their bindings, and webhook configurations: what an administrator may write.

In → documents; out → FieldErrors. Expressions are compiled here, so that what can't be evaluated is refused when it is written.

Simplified here: expressions that stood already are checked again with each change.

Upstream: pkg/apis/admissionregistration/validation/validation.go, apiserver/pkg/util/webhook/validation.go (v1.32).
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from cluster.api import cel, field, meta
from cluster.api.field import FieldError
from cluster.apiserver.admission import matching
from cluster.apiserver.registry.strategy import ALL_META, Context, Strategy

Doc = dict[str, Any]
GROUP = "admissionregistration.k8s.io"
_FAILURE, _MATCH = ("Fail", "Ignore"), ("Equivalent", "Exact")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_ACTIONS = ("Audit", "Deny", "Warn")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_VERSIONS = ("v1", "v1beta1")
_IDENTIFIER = re.compile(r"^[_a-zA-Z][_a-zA-Z0-9]*$")


class _Base(Strategy):
    namespaced = False
    counts_generation = True
    allow_unconditional_update = False
    field_labels = ("metadata.name",)
    status_keeps = ALL_META


class PolicyStrategy(_Base):
    """ValidatingAdmissionPolicies."""

    kinds = ((GROUP, "ValidatingAdmissionPolicy"),)
    has_status = True
    reset_fields = (("status",),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors = _one_of(spec, "failurePolicy", _FAILURE, "spec")
        if kind := spec.get("paramKind"):
            errors += [field.required(f"spec.paramKind.{key}") for key in ("apiVersion", "kind") if not kind.get(key)]
        match = spec.get("matchConstraints")
        if match is None:
            errors.append(field.required("spec.matchConstraints"))
        else:
            errors += _match_resources(match, "spec.matchConstraints")
            if not match.get("resourceRules"):
                errors.append(field.required("spec.matchConstraints.resourceRules"))
        has_params = bool(kind)
        errors += _conditions(spec.get("matchConditions") or (), "spec.matchConditions", has_params)
        names = matching.names(has_params, variables=bool(spec.get("variables")))
        for i, variable in enumerate(spec.get("variables") or ()):
            errors += _variable(variable, f"spec.variables[{i}]", names)
        if not spec.get("validations") and not spec.get("auditAnnotations"):
            why = "validations or auditAnnotations must contain at least one item"
            errors += [field.required(f"spec.{key}", why) for key in ("validations", "auditAnnotations")]
        for i, validation in enumerate(spec.get("validations") or ()):
            errors += _validation(validation, f"spec.validations[{i}]", names)
        errors += _annotations(spec.get("auditAnnotations") or (), meta.name_of(doc), names)
        return errors


class PolicyStatusStrategy(PolicyStrategy):
    """``validatingadmissionpolicies/status``."""

    subresource = "status"
    reset_fields = (("spec",), ("metadata", "deletionTimestamp"))


class BindingStrategy(_Base):
    """ValidatingAdmissionPolicyBindings."""

    kinds = ((GROUP, "ValidatingAdmissionPolicyBinding"),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors: list[FieldError] = []
        name = spec.get("policyName", "")
        if not name:
            errors.append(field.required("spec.policyName"))
        else:
            errors += [field.invalid("spec.policyName", name, why) for why in meta.dns1123_subdomain(name)]
        if (ref := spec.get("paramRef")) is not None:
            errors += _param_ref(ref)
        if (match := spec.get("matchResources")) is not None:
            errors += _match_resources(match, "spec.matchResouces")  # upstream's own spelling
        return errors + _actions(spec.get("validationActions") or [])


class ValidatingWebhookStrategy(_Base):
    """ValidatingWebhookConfigurations."""

    kinds = ((GROUP, "ValidatingWebhookConfiguration"),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        seen: set[str] = set()
        for i, hook in enumerate(doc.get("webhooks") or ()):
            at, name = f"webhooks[{i}]", hook.get("name", "")
            errors += _webhook(hook, at)
            if name and name in seen:
                errors.append(field.duplicate(f"{at}.name", name))
            seen.add(name)
        return errors

    def desired_changed(self, new: Doc, old: Doc) -> bool:
        return new.get("webhooks") != old.get("webhooks")


class MutatingWebhookStrategy(ValidatingWebhookStrategy):
    """MutatingWebhookConfigurations."""

    kinds = ((GROUP, "MutatingWebhookConfiguration"),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors = super().check(doc, ctx)
        for i, hook in enumerate(doc.get("webhooks") or ()):
            errors += _one_of(hook, "reinvocationPolicy", ("IfNeeded", "Never"), f"webhooks[{i}]", needed=False)
        return errors


# -- parts ------------------------------------------------------------------------------------------------------------


def _one_of(doc: Doc, key: str, values: Sequence[str], at: str, needed: bool = True) -> list[FieldError]:
    value = doc.get(key)
    if value is None:
        return [field.required(f"{at}.{key}")] if needed else []
    return [] if value in values else [field.not_supported(f"{at}.{key}", value, values)]


def _match_resources(match: Doc, at: str) -> list[FieldError]:
    errors = _one_of(match, "matchPolicy", _MATCH, at)
    for key in ("resourceRules", "excludeResourceRules"):
        for i, rule in enumerate(match.get(key) or ()):
            errors += _rule(rule, f"{at}.{key}[{i}]")
    return errors


def _rule(rule: Doc, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    operations = rule.get("operations") or []
    if not operations:
        errors.append(field.required(f"{at}.operations"))
    if len(operations) > 1 and "*" in operations:
        errors.append(
            field.invalid(f"{at}.operations", operations, "if '*' is present, must not specify other operations")
        )
    errors += [
        field.not_supported(f"{at}.operations[{i}]", each, _OPERATIONS)
        for i, each in enumerate(operations)
        if each not in _OPERATIONS
    ]
    for key, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        values = rule.get(key) or []
        if not values:
            errors.append(field.required(f"{at}.{key}"))
        if len(values) > 1 and "*" in values:
            errors.append(field.invalid(f"{at}.{key}", values, f"if '*' is present, must not specify other {what}"))
    errors += [
        field.required(f"{at}.apiVersions[{i}]") for i, each in enumerate(rule.get("apiVersions") or ()) if not each
    ]
    errors += _resources(rule.get("resources") or [], f"{at}.resources")
    return errors + _one_of(rule, "scope", _SCOPES, at, needed=False)


def _resources(resources: list[str], at: str) -> list[FieldError]:
    errors = [] if resources else [field.required(at)]
    all_subresources: set[str] = set()
    of_all: set[str] = set()
    alone = False
    for i, text in enumerate(resources):
        if not text:
            errors.append(field.required(f"{at}[{i}]"))
            continue
        which, slash, sub = text.partition("/")
        if not slash:
            alone = text != "*"
            continue
        if which in all_subresources:
            errors.append(field.invalid(f"{at}[{i}]", text, f"if '{which}/*' is present, must not specify {text}"))
        if sub in of_all:
            errors.append(field.invalid(f"{at}[{i}]", text, f"if '*/{sub}' is present, must not specify {text}"))
        if sub == "*":
            all_subresources.add(which)
        if which == "*":
            of_all.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        errors.append(field.invalid(at, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and alone:
        why = "if '*' is present, must not specify other resources without subresources"
        errors.append(field.invalid(at, resources, why))
    return errors


def _compiles(text: str, at: str, names: frozenset[str]) -> list[FieldError]:
    try:
        cel.compiled(text, names)
    except cel.CompileError as error:
        return [field.invalid(at, text, str(error))]
    return []


def _conditions(conditions: Sequence[Doc], at: str, params: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if len(conditions) > 64:
        errors.append(field.too_many(at, len(conditions), 64))
    seen: set[str] = set()
    for i, condition in enumerate(conditions):
        name, text = condition.get("name", ""), (condition.get("expression") or "").strip()
        errors += (
            _compiles(text, f"{at}[{i}].expression", matching.names(params))
            if text
            else [field.required(f"{at}[{i}].expression")]
        )
        if not name:
            errors.append(field.required(f"{at}[{i}].name"))
            continue
        errors += [field.invalid(f"{at}[{i}].name", name, why) for why in meta.qualified_name(name)]
        if name in seen:
            errors.append(field.duplicate(f"{at}[{i}].name", name))
        seen.add(name)
    return errors


def _variable(variable: Doc, at: str, names: frozenset[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    name, text = variable.get("name", ""), variable.get("expression", "")
    if not name.strip():
        errors.append(field.required(f"{at}.name", "name is not specified"))
    elif not _IDENTIFIER.match(name) or name in cel.KEYWORDS:
        errors.append(field.invalid(f"{at}.name", name, "name is not a valid CEL identifier"))
    if not text.strip():
        return [*errors, field.required(f"{at}.expression", "expression is not specified")]
    return errors + _compiles(text, f"{at}.expression", names)


def _validation(validation: Doc, at: str, names: frozenset[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    text, said = validation.get("expression", ""), validation.get("messageExpression", "")
    message = validation.get("message", "")
    if not text.strip():
        errors.append(field.required(f"{at}.expression", "expression is not specified"))
    else:
        errors += _compiles(text, f"{at}.expression", names)
    if said and not said.strip():
        errors.append(field.invalid(f"{at}.messageExpression", said, "must be non-empty if specified"))
    elif said:
        errors += _compiles(said, f"{at}.messageExpression", names - {"authorizer"})
    if message and not message.strip():
        errors.append(field.invalid(f"{at}.message", message, "message must be non-empty if specified"))
    elif "\n" in message.strip():
        errors.append(field.invalid(f"{at}.message", message, "message must not contain line breaks"))
    return errors + _one_of(validation, "reason", _REASONS, at, needed=False)


def _annotations(annotations: Sequence[Doc], policy: str, names: frozenset[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, annotation in enumerate(annotations):
        at, key, text = f"spec.auditAnnotations[{i}]", annotation.get("key", ""), annotation.get("valueExpression", "")
        errors += [field.invalid(f"{at}.key", f"{policy}/{key}", why) for why in meta.qualified_name(f"{policy}/{key}")]
        if not text.strip():
            errors.append(field.required(f"{at}.valueExpression", "valueExpression is not specified"))
        else:
            errors += _compiles(text, f"{at}.valueExpression", names)
        if key in seen:
            errors.append(field.duplicate(f"{at}.key", key))
        seen.add(key)
    return errors


def _param_ref(ref: Doc) -> list[FieldError]:
    errors: list[FieldError] = []
    name, selector = ref.get("name", ""), ref.get("selector")
    if name:
        errors += [field.invalid("spec.paramRef.name", name, why) for why in meta.path_segment_name(name)]
        if selector is not None:
            errors += [
                field.forbidden(f"spec.paramRef.{key}", "name and selector are mutually exclusive")
                for key in ("name", "selector")
            ]
    elif selector is None:
        errors.append(field.required("spec.paramRef", "one of name or selector must be specified"))
    action = ref.get("parameterNotFoundAction")
    if action is None:
        errors.append(field.required("spec.paramRef.parameterNotFoundAction"))
    elif action not in ("Allow", "Deny"):
        errors.append(field.not_supported("spec.paramRef.parameterNotFoundAction", action, ("Deny", "Allow")))
    return errors


def _actions(actions: list[str]) -> list[FieldError]:
    at = "spec.validationActions"
    errors: list[FieldError] = []
    for i, action in enumerate(actions):
        if action not in _ACTIONS:
            errors.append(field.not_supported(f"{at}[{i}]", action, _ACTIONS))
        if action in actions[:i]:
            errors.append(field.duplicate(f"{at}[{i}]", action))
    if "Deny" in actions and "Warn" in actions:
        why = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers "
            "serves no purpose)"
        )
        errors.append(field.invalid(at, actions, why))
    if not actions:
        errors.append(field.required(at, "at least one validation action is required"))
    return errors


def _webhook(hook: Doc, at: str) -> list[FieldError]:
    name = hook.get("name", "")
    errors: list[FieldError] = []
    if not name:
        errors.append(field.required(f"{at}.name"))
    elif problems := meta.dns1123_subdomain(name):
        errors += [field.invalid(f"{at}.name", name, why) for why in problems]
    elif name.count(".") < 2:
        errors.append(
            field.invalid(f"{at}.name", name, "should be a domain with at least three segments separated by dots")
        )
    for i, rule in enumerate(hook.get("rules") or ()):
        errors += _rule(rule, f"{at}.rules[{i}]")
    errors += _one_of(hook, "failurePolicy", _FAILURE, at, needed=False) + _one_of(
        hook, "matchPolicy", _MATCH, at, needed=False
    )
    if hook.get("sideEffects") is None:
        errors.append(field.required(f"{at}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}"))
    else:
        errors += _one_of(hook, "sideEffects", _SIDE_EFFECTS, at)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        errors.append(
            field.invalid(f"{at}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds")
        )
    errors += _client_config(hook.get("clientConfig") or {}, f"{at}.clientConfig")
    errors += _conditions(hook.get("matchConditions") or (), f"{at}.matchConditions", False)
    versions = hook.get("admissionReviewVersions") or []
    where = f"{at}.admissionReviewVersions"
    if not versions:
        return [*errors, field.required(where, f"must specify one of {', '.join(_VERSIONS)}")]
    if not any(version in _VERSIONS for version in versions):
        errors.append(field.invalid(where, versions, f"must include at least one of {', '.join(_VERSIONS)}"))
    return errors


def _client_config(config: Doc, at: str) -> list[FieldError]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [field.required(at, "exactly one of url or service is required")]
    if url is not None:
        return _url(url, f"{at}.url")
    errors: list[FieldError] = []
    assert service is not None
    errors += [
        field.required(f"{at}.service.{key}", f"service {key} is required")
        for key in ("name", "namespace")
        if not service.get(key)
    ]
    path = service.get("path")
    if path and not path.startswith("/"):
        errors.append(field.invalid(f"{at}.service.path", path, "must start with a '/'"))
    port = service.get("port", 443)
    if not 1 <= port <= 65535:
        errors.append(
            field.invalid(f"{at}.service.port", port, "port is not valid: must be between 1 and 65535, inclusive")
        )
    return errors


def _url(url: str, at: str) -> list[FieldError]:
    form = "; desired format: https://host[/path]"
    parts = urlsplit(url)
    errors: list[FieldError] = []
    if parts.scheme != "https":
        errors.append(field.invalid(at, parts.scheme, f"'https' is the only allowed URL scheme{form}"))
    if not parts.netloc:
        errors.append(field.invalid(at, parts.netloc, f"host must be specified{form}"))
    if parts.username is not None:
        errors.append(field.invalid(at, parts.username, "user information is not permitted in the URL"))
    if parts.fragment:
        errors.append(field.invalid(at, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        errors.append(field.invalid(at, parts.query, "query parameters are not permitted in the URL"))
    return errors


STRATEGIES = (
    PolicyStrategy(), PolicyStatusStrategy(), BindingStrategy(), ValidatingWebhookStrategy(), MutatingWebhookStrategy(),
)  # fmt: skip
