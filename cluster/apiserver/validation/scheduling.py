"""Where a pod may run: tolerations, node and pod affinity, topology spread.

Upstream: pkg/apis/core/validation/validation.go.
"""

from collections.abc import Iterable
from typing import Any

from cluster.api import field, meta
from cluster.api.field import FieldError
from cluster.apiserver.validation.values import one_of, validate_selector

Doc = dict[str, Any]


def validate_tolerations(tolerations: list[Doc], path: str) -> list[FieldError]:
    """``ValidateTolerations``."""
    errors: list[FieldError] = []
    for i, toleration in enumerate(tolerations):
        at = f"{path}[{i}]"
        key, operator = toleration.get("key", ""), toleration.get("operator", "")
        if key:
            errors += [field.invalid(f"{at}.key", key, why) for why in meta.qualified_name(key)]
        elif operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(field.invalid(f"{at}.operator", operator, why))
        if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(field.invalid(f"{at}.effect", toleration.get("effect", ""), why))
        if operator in ("", "Equal"):
            value = toleration.get("value", "")
            errors += [field.invalid(f"{at}.operator", value, why) for why in meta.label_value(value)]
        elif operator == "Exists":
            if toleration.get("value"):
                errors.append(
                    field.invalid(
                        f"{at}.operator", toleration["value"], "value must be empty when `operator` is 'Exists'"
                    )
                )
        else:
            errors.append(field.not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
        if toleration.get("effect"):
            effects = ("NoExecute", "NoSchedule", "PreferNoSchedule")
            errors += one_of(toleration["effect"], effects, f"{at}.effect")
    return errors


def _node_terms(terms: Iterable[Doc], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    operators = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
    for i, term in enumerate(terms):
        for j, e in enumerate(term.get("matchExpressions") or ()):
            at = f"{path}[{i}].matchExpressions[{j}]"
            operator, values = e.get("operator", ""), e.get("values") or []
            if operator in ("In", "NotIn") and not values:
                errors.append(field.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
            elif operator in ("Exists", "DoesNotExist") and values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(field.forbidden(f"{at}.values", why))
            elif operator in ("Gt", "Lt") and len(values) != 1:
                errors.append(
                    field.required(f"{at}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
                )
            elif operator not in operators:
                errors.append(field.invalid(f"{at}.operator", operator, "not a valid selector operator"))
            errors += [
                field.invalid(f"{at}.key", e.get("key", ""), why) for why in meta.qualified_name(e.get("key", ""))
            ]
    return errors


def validate_affinity(affinity: Doc, path: str) -> list[FieldError]:
    """``validateAffinity``: required and preferred terms."""
    errors: list[FieldError] = []
    required, preferred = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    node = affinity.get("nodeAffinity") or {}
    if node.get(required) is not None:
        at = f"{path}.nodeAffinity.{required}.nodeSelectorTerms"
        terms = node[required].get("nodeSelectorTerms") or ()
        if not terms:
            errors.append(field.required(at, "must have at least one node selector term"))
        errors += _node_terms(terms, at)
    for i, term in enumerate(node.get(preferred) or ()):
        at = f"{path}.nodeAffinity.{preferred}[{i}]"
        if not 1 <= term.get("weight", 0) <= 100:
            errors.append(field.invalid(f"{at}.weight", term.get("weight", 0), "must be in the range 1-100"))
        errors += _node_terms((term.get("preference") or {},), f"{at}.preference")
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = affinity.get(kind) or {}
        for i, term in enumerate(pods.get(required) or ()):
            errors += _pod_term(term, f"{path}.{kind}.{required}[{i}]")
        for i, weighted in enumerate(pods.get(preferred) or ()):
            at = f"{path}.{kind}.{preferred}[{i}]"
            if not 1 <= weighted.get("weight", 0) <= 100:
                errors.append(field.invalid(f"{at}.weight", weighted.get("weight", 0), "must be in the range 1-100"))
            errors += _pod_term(weighted.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")
    return errors


def _pod_term(term: Doc, at: str) -> list[FieldError]:
    errors = validate_selector(term.get("labelSelector"), f"{at}.labelSelector")
    key = term.get("topologyKey", "")
    if not key:
        return [*errors, field.required(f"{at}.topologyKey", "can not be empty")]
    return errors + [field.invalid(f"{at}.topologyKey", key, why) for why in meta.qualified_name(key)]


def validate_spread(constraints: list[Doc], path: str) -> list[FieldError]:
    """``validateTopologySpreadConstraints``."""
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for i, constraint in enumerate(constraints):
        at = f"{path}[{i}]"
        if constraint.get("maxSkew", 0) <= 0:
            errors.append(field.invalid(f"{at}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero"))
        key, action = constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")
        if not key:
            errors.append(field.required(f"{at}.topologyKey", "can not be empty"))
        errors += one_of(action, ("DoNotSchedule", "ScheduleAnyway"), f"{at}.whenUnsatisfiable")
        if (key, action) in seen:
            errors.append(field.duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        seen.add((key, action))
        errors += validate_selector(constraint.get("labelSelector"), f"{at}.labelSelector")
    return errors
