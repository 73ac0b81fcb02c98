"""Quantities: ``100m``, ``1.5Gi``, ``2e3``. Exact numbers with a remembered way of writing.

In → text (or a JSON number); out → ``Quantity``: an integer count of nano-units and a format. Canonical text has no
fraction, the largest suffix that keeps the number whole, and is what the server stores: ``1000m`` → ``1``,
``0.5Gi`` → ``512Mi``. Errors: ``QuantityError`` with the real server's text.

Simplified here: nothing below a nano-unit exists (upstream rounds up there too); no limit at 2^63.

Upstream: apimachinery/pkg/api/resource/quantity.go, suffix.go.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

NANO = 1_000_000_000
DECIMAL = "DecimalSI"
BINARY = "BinarySI"
EXPONENT = "DecimalExponent"

FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX_WRONG = "unable to parse quantity's suffix"
NUMERIC_WRONG = "unable to parse numeric part of quantity"

_TEXT = re.compile(r"^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$")
_EXPONENT = re.compile(r"^[eE]([+-]?[0-9]+)$")
_DECIMAL_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES = {power: suffix for suffix, power in _DECIMAL_SUFFIXES.items()}
_BINARY_NAMES = {power: suffix for suffix, power in _BINARY_SUFFIXES.items()}


class QuantityError(ValueError):
    """The text is not a quantity."""


class Quantity(Struct, frozen=True, eq=False):
    """``nano`` counts 10^-9 units. Compares and adds by value; a sum keeps the left one's format."""

    nano: int
    format: str = DECIMAL

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nano == other.nano

    def __lt__(self, other: "Quantity") -> bool:
        return self.nano < other.nano

    def __le__(self, other: "Quantity") -> bool:
        return self.nano <= other.nano

    def __gt__(self, other: "Quantity") -> bool:
        return self.nano > other.nano

    def __ge__(self, other: "Quantity") -> bool:
        return self.nano >= other.nano

    def __add__(self, other: "Quantity") -> "Quantity":
        # A zero takes the format of what is added to it, as upstream's Add does.
        return Quantity(self.nano + other.nano, self.format if self.nano else other.format)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nano - other.nano, self.format if self.nano else other.format)

    def __neg__(self) -> "Quantity":
        return Quantity(-self.nano, self.format)

    def __bool__(self) -> bool:
        return self.nano != 0

    def value(self) -> int:
        """Whole units, rounded up (away from zero)."""
        return _divide_up(self.nano, NANO)

    def milli(self) -> int:
        """Thousandths, rounded up (away from zero): CPU's unit."""
        return _divide_up(self.nano, 1_000_000)

    def text(self) -> str:
        """The canonical text."""
        return _format(self.nano, self.format)

    __str__ = text


ZERO = Quantity(0)


def _divide_up(n: int, by: int) -> int:
    return -(-n // by) if n >= 0 else n // by


@lru_cache(maxsize=8192)
def parse(text: str) -> Quantity:
    """The quantity that ``text`` writes. QuantityError if it is none."""
    match = _TEXT.match(text)
    if not text or not match:
        raise QuantityError(FORMAT_WRONG)
    sign, whole, fraction, suffix = match[1], match[2], match[3] or "", match[4]
    if not whole and not fraction:
        raise QuantityError(NUMERIC_WRONG if match[3] is not None or suffix else FORMAT_WRONG)
    form = DECIMAL
    if suffix in _BINARY_SUFFIXES:
        form = BINARY
        scaled = int(whole + fraction or "0") * (1 << _BINARY_SUFFIXES[suffix]) * NANO
        nano = _divide_up(scaled, 10 ** len(fraction))
    else:
        if suffix in _DECIMAL_SUFFIXES:
            power = _DECIMAL_SUFFIXES[suffix]
        else:
            exponent = _EXPONENT.match(suffix)
            if not exponent:
                raise QuantityError(SUFFIX_WRONG)
            power, form = int(exponent[1]), EXPONENT
        power += 9 - len(fraction)
        digits = int(whole + fraction)
        nano = digits * 10**power if power >= 0 else _divide_up(digits, 10**-power)
    return Quantity(-nano if sign == "-" else nano, form)


def parse_json(value: Any) -> Quantity:
    """A quantity as JSON has it: text or a number. QuantityError if it is none."""
    if isinstance(value, str):
        return parse(value) if value else ZERO
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise QuantityError(FORMAT_WRONG)
    return parse(repr(value))


@lru_cache(maxsize=8192)
def canonical(text: str) -> str:
    """The way the server writes it: ``1000m`` → ``1``."""
    return parse(text).text()


def from_milli(count: int, form: str = DECIMAL) -> Quantity:
    """``count`` thousandths."""
    return Quantity(count * 1_000_000, form)


def from_value(count: int, form: str = DECIMAL) -> Quantity:
    """``count`` whole units."""
    return Quantity(count * NANO, form)


def _format(nano: int, form: str) -> str:
    if nano == 0:
        return "0"
    if form == BINARY:
        if -1024 * NANO < nano < 1024 * NANO:
            form = DECIMAL
        else:
            number = _divide_up(nano, NANO)
            power = 0
            while power < 60 and number % 1024 == 0:
                number //= 1024
                power += 10
            return f"{number}{_BINARY_NAMES.get(power, '')}"
    power = -9
    number = nano
    while number % 1000 == 0 and (power < 18 or form == EXPONENT):
        number //= 1000
        power += 3
    if form == EXPONENT:
        return f"{number}e{power}" if power else str(number)
    return f"{number}{_DECIMAL_NAMES[power]}"


Resources = Mapping[str, Quantity]


def resource_list(doc: Mapping[str, Any] | None) -> dict[str, Quantity]:
    """A document's ``{"cpu": "1"}`` as numbers."""
    return {name: parse_json(value) for name, value in doc.items()} if doc else {}


def total(*lists: Resources) -> dict[str, Quantity]:
    """The sum by name."""
    out: dict[str, Quantity] = {}
    for resources in lists:
        for name, amount in resources.items():
            out[name] = out[name] + amount if name in out else amount
    return out


def maximum(a: Resources, b: Resources) -> dict[str, Quantity]:
    """The larger by name."""
    out = dict(a)
    for name, amount in b.items():
        if name not in out or out[name] < amount:
            out[name] = amount
    return out


def document(resources: Resources) -> dict[str, str]:
    """Back to a document's texts, sorted by name as Go's maps are."""
    return {name: resources[name].text() for name in sorted(resources)}
