"""Checks of single values that many kinds share: ports, keys, counts, choices, label selectors.

In → a value and the path it stands at; out → ``FieldError``s, or the reasons as texts.

Upstream: pkg/apis/core/validation/validation.go.
"""

import re
from collections.abc import Iterable
from typing import Any

from cluster.api import field, meta
from cluster.api.field import FieldError

Doc = dict[str, Any]

_PORT_NAME = re.compile(r"^[-a-z0-9]*$")
_CONFIG_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
CONFIG_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_PORT_RANGE = "must be between 1 and 65535, inclusive"
NON_NEGATIVE = "must be greater than or equal to 0"


def port_number(value: Any, path: str) -> list[FieldError]:
    """1 to 65535."""
    return [] if isinstance(value, int) and 0 < value < 65536 else [field.invalid(path, value, _PORT_RANGE)]


def port_name(value: str) -> list[str]:
    """What is wrong with it as an IANA service name."""
    wrong = [] if len(value) <= 15 else ["must be no more than 15 characters"]
    if not _PORT_NAME.match(value):
        wrong.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        wrong.append("must contain at least one letter (a-z)")
    if "--" in value:
        wrong.append("must not contain consecutive hyphens")
    if value[:1] == "-" or value[-1:] == "-":
        wrong.append("must not begin or end with a hyphen")
    return wrong


def port_or_name(value: Any, path: str) -> list[FieldError]:
    """An IntOrString that names a port."""
    if isinstance(value, int):
        return port_number(value, path)
    return [field.invalid(path, value, why) for why in port_name(value or "")]


def config_key(value: str) -> list[str]:
    """What is wrong with it as a key of a ConfigMap or Secret."""
    wrong = [] if len(value) <= 253 else ["must be no more than 253 characters"]
    if not _CONFIG_KEY.match(value):
        wrong.append(CONFIG_KEY_TEXT)
    if value == "." or value == "..":
        wrong.append(f"must not be '{value}'")
    elif value.startswith(".."):
        wrong.append("must not start with '..'")
    return wrong


def one_of(value: Any, supported: Iterable[str], path: str) -> list[FieldError]:
    """The value is one of an enumeration; "" is a missing value."""
    if value in supported:
        return []
    if not value:
        return [field.required(path)]
    return [field.not_supported(path, value, supported)]


def at_least_zero(value: Any, path: str) -> list[FieldError]:
    """A count."""
    return [field.invalid(path, value, NON_NEGATIVE)] if isinstance(value, int) and value < 0 else []


def validate_selector(selector: Doc | None, path: str) -> list[FieldError]:
    """``ValidateLabelSelector``."""
    if not selector:
        return []
    errors = meta.validate_labels(selector.get("matchLabels"), f"{path}.matchLabels")
    for i, e in enumerate(selector.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{i}]"
        operator, values = e.get("operator", ""), e.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                errors.append(field.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(field.forbidden(f"{at}.values", why))
        else:
            errors.append(field.invalid(f"{at}.operator", operator, "not a valid selector operator"))
        errors += [field.invalid(f"{at}.key", e.get("key", ""), why) for why in meta.qualified_name(e.get("key", ""))]
        for j, value in enumerate(values):
            errors += [field.invalid(f"{at}.values[{j}]", value, why) for why in meta.label_value(value)]
    return errors
