"""CEL with Kubernetes' functions: values, errors in cel-go's words, and what is refused when it is written."""

from typing import Any

import pytest

from cluster.api import cel

CONTAINERS = [{"image": "a/x", "resources": {"limits": {"memory": "1Gi"}}}]
OBJECT = {
    "spec": {"replicas": 7, "x-y": 1, "if": 2, "containers": CONTAINERS},
    "metadata": {"labels": {"a": "b"}},
}


def value(text: str) -> Any:
    return cel.Program(text, ("object",)).evaluate({"object": OBJECT})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("object.spec.replicas <= 5", False),
        ("object.spec.replicas == 7.0 && object.spec.replicas > 6.5", True),  # numbers compare across types
        ("object.spec.replicas == 'a'", False),  # other types are never equal
        ("object.spec.x__dash__y == 1 && object.spec.__if__ == 2", True),
        ("object.spec.containers.all(c, quantity(c.resources.limits.memory).isGreaterThan(quantity('512Mi')))", True),
        ("quantity('1Gi').add(quantity('1Gi')).compareTo(quantity('2Gi')) == 0", True),
        ("has(object.spec.none) || size(object.spec.containers) == 1", True),
        ("'a' in object.metadata.labels && object.metadata.labels.exists(k, k == 'a')", True),
        ("'A,b'.lowerAscii().split(',')", ["a", "b"]),
        ("['x', 'y'].join('-') + 'abc'.substring(1) + 'abc'.charAt(0)", "x-ybca"),
        ("'%s is %d of %.1f'.format(['x', 3, 2.5])", "x is 3 of 2.5"),
        ("'a1b22'.findAll('[0-9]+').size() == 2 && 'a1'.find('[0-9]') == '1'", True),
        ("[1, 2, 3].sum() == 6 && [1, 2].isSorted() && [1, 2].indexOf(2) == 1", True),
    ],
)
def test_values(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("object.spec.none == 1", "no such key: none"),
        ("object.metadata.labels['zz'] == 'b'", "no such key: zz"),
        ("object.spec.containers[3].image == ''", "index out of bounds"),
        ("object.spec.replicas + 'a' == ''", "no such overload"),
        ("1 / 0 == 1", "division by zero"),
    ],
)
def test_an_evaluation_without_a_value(text: str, words: str) -> None:
    with pytest.raises(cel.Failure, match=words):
        value(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("foo == 1", "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo == 1\n | ^"),
        (
            "true &&\n  bar(1)",
            "ERROR: <input>:2:3: undeclared reference to 'bar' (in container '')\n |   bar(1)\n | ..^",
        ),
        ("object.x.all(c, d)", "ERROR: <input>:1:17: undeclared reference to 'd' (in container '')"),
        ("object.spec ==", "Syntax error"),
        ("object.?spec", "optional fields are not evaluated by Clearplane"),
        ("isURL('https://a')", "'isURL' is not evaluated by Clearplane"),
        ("(" * 60 + "1" + ")" * 60, "too large"),
    ],
)
def test_a_text_that_is_refused(text: str, words: str) -> None:
    with pytest.raises(cel.CompileError) as found:
        cel.Program(text, ("object",))
    assert words in str(found.value)


def test_macros_within_macros_end() -> None:
    deep = "object.all(a, object.all(b, object.all(c, a + b + c >= 0)))"
    with pytest.raises(cel.Failure, match="cost limit exceeded"):
        cel.Program(deep, ("object",)).evaluate({"object": list(range(100))})


def test_variables_are_evaluated_when_looked_at_and_once() -> None:
    asked = []

    def make() -> int:
        asked.append(1)
        return value("1 + 1")

    lazy = cel.Lazy({"two": make, "bad": lambda: 1 / 0})
    assert cel.Program("variables.two + variables.two == 4", ("variables",)).evaluate({"variables": lazy})
    assert asked == [1]
