"""Selectors: what matches, and the parser's words."""

import pytest

from cluster.api import selectors


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {}, True), ("a=b", {"a": "b"}, True), ("a==b", {"a": "c"}, False), ("a!=b", {}, True),
        ("set in (odd,even),set!=even", {"set": "odd"}, True), ("set in (odd,even),set!=even", {"set": "even"}, False),
        ("a", {"a": ""}, True), ("!a", {"a": ""}, False), ("a notin (x)", {}, True), ("n>3", {"n": "4"}, True),
        ("n<3", {"n": "x"}, False), ("in=in", {"in": "in"}, True), ("a=", {"a": ""}, True),
    ],
)  # fmt: skip
def test_label_selectors(text, labels, matches):
    assert selectors.parse_labels(text).matches(labels) is matches


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a==b==c", "found '==', expected: ',' or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a,", "found '', expected: identifier after ','"),
        ("(a)", "found '(', expected: !, identifier, or 'end of string'"),
        ("x in ()", "unable to parse requirement: values: Invalid value: []string{}: for 'in', 'notin' operators, values set "
         "can't be empty"),
    ],
)  # fmt: skip
def test_malformed_label_selectors(text, words):
    with pytest.raises(selectors.SelectorError) as error:
        selectors.parse_labels(text)
    assert str(error.value) == words


def test_structs():
    selector = selectors.from_struct(
        {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["x", "d"]}]}
    )
    assert selector.text() == "a=b,c notin (d,x)"
    assert selector.matches({"a": "b"}) and not selector.matches({"a": "b", "c": "d"})
    assert not selectors.from_struct(None).matches({}) and selectors.from_struct({}).matches({})


def test_field_selectors():
    selector = selectors.parse_fields("metadata.name=x,status.phase!=Running")
    assert selector.matches({"metadata.name": "x", "status.phase": "Pending"})
    assert not selector.matches({"metadata.name": "x", "status.phase": "Running"})
    assert selector.value_of("metadata.name") == "x" and selector.value_of("status.phase") is None
    assert selectors.parse_fields("a=b\\,c").requirements[0].value == "b,c"
    with pytest.raises(selectors.SelectorError, match="invalid selector: 'a'; can't understand 'a'"):
        selectors.parse_fields("a")
