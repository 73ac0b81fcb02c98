"""``x-kubernetes-validations``: rules in CEL that a CustomResourceDefinition puts on its values.

In → a value, its old value if there is a comparable one, and the structural schema; out → FieldErrors. A rule sees its value as ``self`` and what
was there as ``oldSelf``; one that looks at ``oldSelf`` runs only where there is an old value. Values of maps and of lists of type ``map`` are
comparable, items of other lists are not. What didn't change isn't held against a client who changes something else.

Simplified here: such forgiveness is not said in a warning; ``optionalOldSelf`` (whose ``oldSelf`` is an optional) is not evaluated.

Upstream: apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go (v1.32).
"""

import re
from typing import Any

from cluster.api import cel, field
from cluster.api.field import FieldError

Doc = dict[str, Any]
NAMES = frozenset(("self", "oldSelf"))
_OLD = re.compile(r"\boldSelf\b")
_BLOCKING = (
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
)
MAX_MESSAGE = 5 * 1024


def validate(value: Doc, old: Doc | None, props: Doc, found: list[FieldError]) -> list[FieldError]:
    """The rules' errors after ``found``, what the schema had to say; after some of those the rules are not asked."""
    if any(error.reason in _BLOCKING for error in found):
        why = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
        return [field.invalid("<nil>", None, why)]
    errors: list[FieldError] = []
    _walk(value, old, props, "", errors)
    return errors


def has_rules(props: Any) -> bool:
    """Whether there is any rule in a schema."""
    if not isinstance(props, dict):
        return False
    if props.get("x-kubernetes-validations"):
        return True
    return any(has_rules(inner) for _, inner in inner_schemas(props))


def inner_schemas(props: Doc) -> list[tuple[str, Any]]:
    """The schemas inside one, each with what stands before it in a path."""
    found = [(f"properties[{name}]", inner) for name, inner in (props.get("properties") or {}).items()]
    found += [(name, props[name]) for name in ("items", "additionalProperties") if isinstance(props.get(name), dict)]
    return found + [(f"allOf[{i}]", inner) for i, inner in enumerate(props.get("allOf") or ())]


def uses_old(rule: Doc) -> bool:
    """Whether a rule compares with what was there."""
    return bool(_OLD.search(rule.get("rule", "")))


def _walk(value: Any, old: Any, props: Doc, path: str, errors: list[FieldError]) -> None:
    if value is None:
        return
    for rule in props.get("x-kubernetes-validations") or ():
        error = _ask(rule, value, old, props.get("type", "object"), path)
        if error is not None:
            errors.append(error)
    for inner in props.get("allOf") or ():
        _walk(value, old, inner, path, errors)
    if isinstance(value, dict):
        known, extra = props.get("properties") or {}, props.get("additionalProperties")
        before = old if isinstance(old, dict) else {}
        for key in sorted(value):
            if key in known:
                _walk(value[key], before.get(key), known[key], f"{path}.{key}" if path else key, errors)
            elif isinstance(extra, dict):
                _walk(value[key], before.get(key), extra, f"{path}[{key}]", errors)
    elif isinstance(value, list) and isinstance(props.get("items"), dict):
        keys = (
            tuple(props.get("x-kubernetes-list-map-keys") or ()) if props.get("x-kubernetes-list-type") == "map" else ()
        )
        for i, item in enumerate(value):
            _walk(item, _same_item(item, old, keys), props["items"], f"{path}[{i}]", errors)


def _same_item(item: Any, old: Any, keys: tuple[str, ...]) -> Any:
    if not keys or not isinstance(old, list) or not isinstance(item, dict):
        return None
    return next(
        (each for each in old if isinstance(each, dict) and all(each.get(k) == item.get(k) for k in keys)), None
    )


def _ask(rule: Doc, value: Any, old: Any, kind: str, path: str) -> FieldError | None:
    text, about_old = rule.get("rule", "").strip(), uses_old(rule)
    if not text or (about_old and old is None):
        return None
    where, said = path or "<nil>", rule.get("message", "").strip() or text
    given = {"self": value, "oldSelf": old}
    try:
        if cel.is_true(cel.compiled(text, NAMES).evaluate(given)):
            return None
    except cel.CompileError as error:
        return field.invalid(where, kind, f"rule compile error: {error}")
    except cel.Failure as error:
        if str(error).startswith("no such overload"):
            why = f"'{error}': call arguments did not match a supported operator, function or macro signature for rule: {said}"
            return field.invalid(where, kind, why)
        if str(error).startswith("operation cancelled"):
            why = f"'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {said}"
            return field.invalid(where, kind, why)
        return field.invalid(where, kind, f"{error} evaluating rule: {said}")
    if not about_old and old is not None and old == value:
        return None
    where = f"{path}{rule.get('fieldPath', '')}".removeprefix(".") or "<nil>"
    detail = _message(rule, given) or rule.get("message", "").strip() or f"failed rule: {text}"
    match rule.get("reason"):
        case "FieldValueForbidden":
            return field.forbidden(where, detail)
        case "FieldValueRequired":
            return field.required(where, detail)
        case "FieldValueDuplicate":
            return field.duplicate(where, kind)
    return field.invalid(where, kind, detail)


def _message(rule: Doc, given: Doc) -> str:
    if not rule.get("messageExpression"):
        return ""
    try:
        said = (cel.plain(cel.compiled(rule["messageExpression"], NAMES).evaluate(given)) or "").strip()
    except (cel.Failure, cel.CompileError):
        return ""
    return "" if "\n" in said or len(said.encode()) > MAX_MESSAGE else said
