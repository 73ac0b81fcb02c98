"""CustomResourceDefinitions: their own rules, and the status that the server itself writes (names accepted, established).

In → definitions; out → FieldErrors, or a definition with a new status.

Simplified here: structural schemas are checked for the rules that are broken most (types everywhere, no unknown
types, defaults that fit); webhook conversion is not served.

Upstream: apiextensions-apiserver/pkg/registry/customresourcedefinition, pkg/apis/apiextensions/validation,
pkg/controller/{status,establish}.
"""

from collections.abc import Iterable
from typing import Any

from cluster.api import cel, crd_rules, field, meta
from cluster.api.field import FieldError, GoText
from cluster.apiserver.registry.strategy import Context, Strategy, nested, put

Doc = dict[str, Any]
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_TYPES = ("array", "boolean", "integer", "number", "object", "string")


class DefinitionStrategy(Strategy):
    """The definition itself."""

    kinds = (("apiextensions.k8s.io", "CustomResourceDefinition"),)
    namespaced = False
    has_status = True
    counts_generation = True
    allow_unconditional_update = False
    reset_fields = (("status",),)
    field_labels = ("metadata.name",)

    def on_create(self, doc: Doc, ctx: Context) -> Doc:
        names = {"plural": "", "kind": ""}
        stored = [v["name"] for v in nested(doc, "spec", "versions", default=()) if v.get("storage")]
        return put(doc, "status", {"conditions": None, "acceptedNames": names, "storedVersions": stored})

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        status = dict(new.get("status") or {})
        known = list(status.get("storedVersions") or ())
        added = [v["name"] for v in nested(new, "spec", "versions", default=()) if v.get("storage")]
        if any(name not in known for name in added):
            status["storedVersions"] = known + [name for name in added if name not in known]
            return put(new, "status", status)
        return new

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors: list[FieldError] = []
        names, group = spec.get("names") or {}, spec.get("group", "")
        if meta.name_of(doc) != f"{names.get('plural', '')}.{group}":
            why = 'must be spec.names.plural+"."+spec.group'
            errors.append(field.invalid("metadata.name", meta.name_of(doc), why))
        if group.endswith((".k8s.io", ".kubernetes.io")):
            name = "api-approved.kubernetes.io"
            if not meta.annotations_of(doc).get(name):
                why = 'protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111'
                errors.append(field.required("metadata.annotations[api-approved.kubernetes.io]", why))
        if not group:
            errors.append(field.required("spec.group"))
        else:
            errors += [field.invalid("spec.group", group, why) for why in meta.dns1123_subdomain(group)]
            if "." not in group:
                errors.append(field.invalid("spec.group", group, "should be a domain with at least one dot"))
        if spec.get("scope") not in ("Cluster", "Namespaced"):
            errors.append(field.not_supported("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced")))
        errors += self._versions(spec)
        errors += self._names(names)
        if nested(spec, "conversion", "strategy") not in ("None", "Webhook"):
            value = nested(spec, "conversion", "strategy", default="")
            errors.append(field.not_supported("spec.conversion.strategy", value, ("None", "Webhook")))
        return errors

    @staticmethod
    def _versions(spec: Doc) -> list[FieldError]:
        errors: list[FieldError] = []
        versions = spec.get("versions") or ()
        if sum(bool(v.get("storage")) for v in versions) != 1:
            why = "must have exactly one version marked as storage version"
            errors.append(
                field.invalid("spec.versions", GoText("[]apiextensions.CustomResourceDefinitionVersion"), why)
            )
        seen: set[str] = set()
        for i, version in enumerate(versions):
            at = f"spec.versions[{i}]"
            name = version.get("name", "")
            errors += [field.invalid(f"{at}.name", name, why) for why in meta.dns1035_label(name)]
            if name in seen:
                why = "must contain unique version names"
                errors.append(
                    field.invalid("spec.versions", GoText("[]apiextensions.CustomResourceDefinitionVersion"), why)
                )
            seen.add(name)
            props = nested(version, "schema", "openAPIV3Schema")
            if props is None:
                errors.append(field.required(f"{at}.schema.openAPIV3Schema", "schemas are required"))
            else:
                root = f"{at}.schema.openAPIV3Schema"
                if props.get("type") != "object":
                    if not props.get("type"):
                        errors.append(field.required(f"{root}.type", "must not be empty at the root"))
                    else:
                        errors.append(field.invalid(f"{root}.type", props["type"], "must be object at the root"))
                _structural(props, root, errors, True)
            for j, column in enumerate(version.get("additionalPrinterColumns") or ()):
                where = f"{at}.additionalPrinterColumns[{j}]"
                for needed in ("name", "type", "jsonPath"):
                    if not column.get(needed):
                        errors.append(field.required(f"{where}.{needed}"))
        return errors

    @staticmethod
    def _names(names: Doc) -> list[FieldError]:
        errors: list[FieldError] = []
        for name in ("plural", "singular", "kind", "listKind"):
            value, path = names.get(name, ""), f"spec.names.{name}"
            if not value:
                errors.append(field.required(path))
                continue
            checked = value.lower() if name in ("kind", "listKind") else value
            errors += [field.invalid(path, value, why) for why in meta.dns1035_label(checked)]
        for i, short in enumerate(names.get("shortNames") or ()):
            errors += [field.invalid(f"spec.names.shortNames[{i}]", short, why) for why in meta.dns1035_label(short)]
        if names.get("kind") and names.get("kind") == names.get("listKind"):
            errors.append(
                field.invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")
            )
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        if is_established(old):
            for path in (("scope",), ("group",), ("names", "kind"), ("names", "plural")):
                now, was = nested(new, "spec", *path), nested(old, "spec", *path)
                if now != was:
                    errors.append(field.invalid("spec." + ".".join(path), now, meta.IMMUTABLE))
        return errors


def _structural(props: Doc, path: str, errors: list[FieldError], root: bool = False) -> None:
    """Every level says its type; only known types are said."""
    kind = props.get("type", "")
    free = props.get("x-kubernetes-int-or-string") or props.get("x-kubernetes-preserve-unknown-fields")
    if kind and kind not in _TYPES:
        errors.append(field.not_supported(f"{path}.type", kind, _TYPES))
    elif not kind and not root and not free:
        errors.append(field.required(f"{path}.type", "must not be empty for specified object fields"))
    if kind == "array" and props.get("items") is None:
        errors.append(field.required(f"{path}.items", "must be specified"))
    errors += _rules(props, f"{path}.x-kubernetes-validations")
    for name, inner in (props.get("properties") or {}).items():
        _structural(inner, f"{path}.properties[{name}]", errors)
    for name in ("items", "additionalProperties"):
        if isinstance(props.get(name), dict):
            _structural(props[name], f"{path}.{name}", errors)


def _rules(props: Doc, path: str) -> list[FieldError]:
    """Each rule says something, and something that can be evaluated."""
    errors: list[FieldError] = []
    for i, rule in enumerate(props.get("x-kubernetes-validations") or ()):
        at, text, message = f"{path}[{i}]", rule.get("rule", ""), rule.get("message", "")
        if not text.strip():
            errors.append(field.required(f"{at}.rule", "rule is not specified"))
            continue
        if message and not message.strip():
            errors.append(field.invalid(f"{at}.message", message, "message must be non-empty if specified"))
        elif "\n" in message.strip():
            errors.append(field.invalid(f"{at}.message", message, "message must not contain line breaks"))
        elif "\n" in text.strip() and not message.strip():
            errors.append(field.required(f"{at}.message", "message must be specified if rule contains line breaks"))
        for key in ("rule", "messageExpression"):
            if said := rule.get(key):
                errors += _compiled(said, rule, f"{at}.{key}")
        if rule.get("optionalOldSelf"):
            errors.append(
                field.forbidden(
                    f"{at}.optionalOldSelf", "Clearplane does not evaluate rules whose oldSelf is an optional"
                )
            )
        reasons = ("FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate")
        if (reason := rule.get("reason")) is not None and reason not in reasons:
            errors.append(field.not_supported(f"{at}.reason", reason, reasons))
    return errors


def _compiled(text: str, rule: Doc, at: str) -> list[FieldError]:
    try:
        cel.compiled(text.strip(), crd_rules.NAMES)
    except cel.CompileError as error:
        quoted = {key: field.quote(rule.get(key, "")) for key in ("rule", "message", "messageExpression", "fieldPath")}
        shown = (
            f"apiextensions.ValidationRule{{Rule:{quoted['rule']}, Message:{quoted['message']}, MessageExpression:{quoted['messageExpression']}, "
            f"Reason:(*apiextensions.FieldValueErrorReason)(nil), FieldPath:{quoted['fieldPath']}, OptionalOldSelf:(*bool)(nil)}}"
        )
        return [field.invalid(at, GoText(shown), str(error))]
    return []


class DefinitionStatusStrategy(DefinitionStrategy):
    """``customresourcedefinitions/status``."""

    subresource = "status"
    reset_fields = (("spec",),)
    status_keeps = ("labels", "annotations", "ownerReferences")


def is_established(doc: Doc) -> bool:
    """Whether the kind is served."""
    return condition(doc, "Established") == "True"


def condition(doc: Doc, kind: str) -> str:
    """The status of a condition, "" when it is not there."""
    for each in nested(doc, "status", "conditions", default=()) or ():
        if each.get("type") == kind:
            return each.get("status", "")
    return ""


def with_condition(doc: Doc, kind: str, status: str, reason: str, message: str, now: str) -> Doc:
    """A copy with the condition set; its transition time changes only with its status."""
    conditions: list[Doc] = list(nested(doc, "status", "conditions", default=()) or ())
    entry: Doc = {"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message}
    for i, each in enumerate(conditions):
        if each.get("type") == kind:
            if each.get("status") == status:
                entry["lastTransitionTime"] = each.get("lastTransitionTime")
            conditions[i] = entry
            break
    else:
        conditions.append(entry)
    return {**doc, "status": {**(doc.get("status") or {}), "conditions": conditions}}


def settled(doc: Doc, others: Iterable[Doc], now: str) -> Doc:
    """The definition with the status that the naming and establishing controllers give it; ``doc`` itself when it is so.

    ``others`` are all other definitions: names that another of the same group has accepted are refused.
    """
    spec = doc.get("spec") or {}
    names = spec.get("names") or {}
    taken: dict[str, str] = {}
    for other in others:
        if nested(other, "spec", "group") != spec.get("group") or meta.name_of(other) == meta.name_of(doc):
            continue
        accepted = nested(other, "status", "acceptedNames", default={})
        for name in ("plural", "singular", "kind", "listKind"):
            if accepted.get(name):
                taken[accepted[name]] = meta.name_of(other)
        for short in accepted.get("shortNames") or ():
            taken[short] = meta.name_of(other)
    reason = ""
    for name, label in (
        ("plural", "PluralConflict"),
        ("singular", "SingularConflict"),
        ("kind", "KindConflict"),
        ("listKind", "ListKindConflict"),
    ):
        if names.get(name) in taken:
            reason, message = label, f'"{names[name]}" is already in use'
            break
    if reason:
        made = with_condition(doc, "NamesAccepted", "False", reason, message, now)
        if not is_established(doc):
            made = with_condition(made, "Established", "False", "NotAccepted", "not all names are accepted", now)
        return made if made.get("status") != doc.get("status") else doc
    made = {**doc, "status": {**(doc.get("status") or {}), "acceptedNames": names}}
    made = with_condition(made, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now)
    made = with_condition(
        made, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted", now
    )
    return made if made["status"] != doc.get("status") else doc


STRATEGIES = (DefinitionStrategy(), DefinitionStatusStrategy())
