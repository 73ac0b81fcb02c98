"""What strangers type can't hold the world up: patterns, templates and documents that never end are refused."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cluster.shell import matcher, yaml_input
from cluster.shell.goyaml import dump
from cluster.shell.jsonpath import JsonPathError, evaluate
from cluster.shell.matcher import Budget, Matcher, TooMuch, _Slow
from tests.cluster.shell.harness import Shell

PIECES = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        ".",
        "[ab]",
        "[^a]",
        "a*",
        "b+",
        "a?",
        "(a)",
        "(ab)*",
        "(a|b)",
        "(?:b)",
        "a{1,2}",
        "^",
        "$",
        r"\b",
        r"\w",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=5), st.text("ab c", max_size=8))
def test_the_small_engine_agrees_with_pythons(pieces: list[str], text: str) -> None:
    pattern = "".join(pieces)
    match = re.search(pattern, text)
    found = _Slow(pattern, False, Budget()).find(text, 0)
    assert found == (None if match is None else [match.span(group) for group in range(match.re.groups + 1)])


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(a*)*b", "a*a*a*a*a*a*b", r"(a)\1*(a*)*b"])
def test_patterns_that_explode_are_stopped(pattern: str) -> None:
    with pytest.raises(TooMuch):
        Matcher(pattern, budget=Budget(100_000)).search("a" * 5_000 + "!")


def test_harmless_patterns_run_on_the_fast_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matcher, "_Slow", None)
    assert Matcher(r"web-[a-z0-9]+ .*Running").search("web-abc 1/1 Running")


def test_grep_and_sed_say_so() -> None:
    shell = Shell()
    shell.run("echo " + "a" * 3000 + "! > f")
    for line in ("grep -E '(a+)+$' f", "sed -E 's/(a+)+$//' f"):
        result = shell.run(line)
        assert "takes too long" in result.stderr and result.code


def test_jsonpath_can_not_multiply_for_ever() -> None:
    template = "{range $.a[*]}" * 5 + "{end}" * 5
    with pytest.raises(JsonPathError):
        evaluate(template, {"a": list(range(100))})
    with pytest.raises(JsonPathError):
        evaluate("{.." + "..".join(["*"] * 30) + "}", {"a": {"b": [[[[1] * 50] * 20] * 20]}})


def test_yaml_bombs_and_towers_are_refused() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
    for text in (bomb, "[" * 5000):
        with pytest.raises(yaml_input.yaml.YAMLError):
            yaml_input.load(text)
    shell = Shell()
    shell.run(f"cat > bomb.yaml <<'EOF'\n{bomb}EOF")
    assert "excessive aliasing" in shell.run("kubectl apply -f bomb.yaml").stderr


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc -:#", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@example({"1": "="})
@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text("abyn1:- ", min_size=1, max_size=4), DOCUMENTS, min_size=1, max_size=3))
def test_printed_yaml_reads_back_as_the_same_document(doc: dict) -> None:
    assert yaml_input.load(dump(doc)) == doc
