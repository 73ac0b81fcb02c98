"""Texts that unfold without end are refused before anybody follows them."""

import orjson
import pytest

from cluster.api import codec, gojson, limits, patch


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_depth_of_json() -> None:
    assert gojson.loads(nested(limits.MAX_DEPTH))
    for text in (nested(limits.MAX_DEPTH + 1), b"[" * 100_000, nested(50_000), b'{"a":[' * 200):
        with pytest.raises(ValueError, match="exceeded max depth"):
            gojson.loads(text)


def test_brackets_in_strings_are_no_depth() -> None:
    assert gojson.loads(orjson.dumps({"a": "[" * 500, "b": '"[' * 300, "c": "\\" * 9}))["a"] == "[" * 500
    assert gojson.loads(b"[" + b",".join([b"[]"] * 400) + b"]") == [[]] * 400


def test_depth_of_a_value() -> None:
    value: object = 1
    for _ in range(limits.MAX_DEPTH):
        value = [value]
    assert not limits.too_deep(value)
    assert limits.too_deep({"x": value})


def test_aliases_of_yaml() -> None:
    assert codec.load_yaml("a: &x [1, 2]\nb: *x\nc: *x") == {"a": [1, 2], "b": [1, 2], "c": [1, 2]}
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(ValueError, match="excessive aliasing"):
        codec.load_yaml(bomb)
    with pytest.raises(ValueError, match="value contains itself"):
        codec.load_yaml("a: &a [*a]")


def test_depth_of_yaml() -> None:
    for text in ("[" * 5000, "- " * 5000 + "x", "\n".join("  " * n + "a:" for n in range(300))):
        with pytest.raises(ValueError, match="exceeded max depth"):
            codec.load_yaml(text)


def test_copies_of_a_json_patch_are_counted() -> None:
    double = [{"op": "copy", "from": "", "path": f"/x{n}"} for n in range(64)]
    with pytest.raises(patch.PatchError, match="accumulated size"):
        patch.json_patch({"a": "b" * 100}, double)
    assert patch.json_patch({"a": [1]}, double[:2])["x1"] == {"a": [1], "x0": {"a": [1]}}


def test_patches_of_another_shape() -> None:
    for kind, wrong in (("json", {}), ("merge", []), ("strategic", "x"), ("apply", 7)):
        with pytest.raises(Exception, match="cannot unmarshal"):
            patch.check(wrong, kind)


def test_bytes_that_are_no_text_are_replaced_as_go_does() -> None:
    assert gojson.loads(b'{"a":"x\xffy"}') == {"a": "x\ufffdy"}
    assert gojson.loads(b'{"a":"\\ud800","b":"\\ud83d\\ude00"}') == {"a": "\ufffd", "b": "\U0001f600"}
