"""IntOrString: a number, or a percentage of something (``25%``).

In → a JSON int or text and the total it may be a share of; out → an int. Errors: ``ValueError`` with the real text.

Simplified here: nothing.

Upstream: apimachinery/pkg/util/intstr/intstr.go.
"""

import re

_PERCENT = re.compile(r"^[0-9]+%$")


def is_percent(value: int | str) -> bool:
    """Whether it is a share: digits and a percent sign."""
    return isinstance(value, str) and _PERCENT.match(value) is not None


def percent(value: str) -> int:
    """``25%`` → 25. ValueError for anything else."""
    if not is_percent(value):
        raise ValueError("invalid value for IntOrString: invalid type: string is not a percentage")
    return int(value[:-1])


def scaled(value: int | str, total: int, round_up: bool) -> int:
    """The number itself, or its share of ``total``. ValueError for a text that is not a percentage."""
    if isinstance(value, int):
        return value
    share = percent(value) * total
    return -(-share // 100) if round_up else share // 100
