"""Quantities: exact, and canonical in the server's way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import intstr, quantity
from cluster.api.quantity import Quantity


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1000m", "1"), ("0.5", "500m"), ("100000", "100k"), ("1500m", "1500m"), ("0.5Gi", "512Mi"), ("1024Ki", "1Mi"),
        ("1000Ki", "1000Ki"), ("1e3", "1e3"), ("12e4", "120e3"), ("0", "0"), ("-1.5", "-1500m"), ("100Mi", "100Mi"),
        ("1.5Ki", "1536"), ("0.000000001", "1n"), ("0.0000000001", "1n"), ("64Gi", "64Gi"), ("+5", "5"), (".5", "500m"),
    ],
)  # fmt: skip
def test_canonical(text, canonical):
    assert quantity.canonical(text) == canonical
    assert quantity.canonical(canonical) == canonical


@pytest.mark.parametrize("text", ["", "one", "1 Gi", "1Gib", "--1", "1e", "."])
def test_malformed(text):
    with pytest.raises(quantity.QuantityError):
        quantity.parse(text)


@given(st.integers(-(10**24), 10**24), st.sampled_from([quantity.DECIMAL, quantity.BINARY, quantity.EXPONENT]))
def test_canonical_text_keeps_the_value(nano, form):
    number = Quantity(nano, form)
    again = quantity.parse(number.text())
    exact = form != quantity.BINARY or abs(nano) < 1024 * quantity.NANO or nano % quantity.NANO == 0
    assert again == number if exact else abs(again.nano - nano) < quantity.NANO


def test_arithmetic():
    total = quantity.total(*(quantity.resource_list(r) for r in ({"cpu": "100m"}, {"cpu": "1", "memory": "1Gi"})))
    assert quantity.document(total) == {"cpu": "1100m", "memory": "1Gi"}
    assert quantity.parse("1100m").milli() == 1100 and quantity.parse("1100m").value() == 2
    assert quantity.parse("1Gi") > quantity.parse("1G")


def test_int_or_percent():
    assert [intstr.scaled("25%", 10, up) for up in (True, False)] == [3, 2]
    assert intstr.scaled(4, 10, True) == 4
    with pytest.raises(ValueError):
        intstr.scaled("x", 10, True)
