"""What is remembered of the fields of new objects is what asking again would say."""

from typing import Any

import pytest

from cluster.api import fieldmanager, fieldset
from cluster.api.schema import builtin_schema

META = {"name": "a", "namespace": "default"}
EVENT = {
    "kind": "Event",
    "apiVersion": "v1",
    "metadata": META,
    "involvedObject": {"kind": "Pod"},
    "reason": "r",
    "type": "Normal",
}
DOCUMENTS: list[dict[str, Any]] = [
    EVENT,
    {**EVENT, "count": 1},
    {**EVENT, "count": 0},
    {**EVENT, "source": {}},
    {**EVENT, "source": {"component": "x"}},
    {**EVENT, "eventTime": None},
    {**EVENT, "message": ""},
    {**EVENT, "metadata": {**META, "labels": {"a": ""}}},
    {**EVENT, "metadata": {**META, "labels": {}}},
    {**EVENT, "metadata": {**META, "finalizers": ["a/b"]}},
    {**EVENT, "metadata": {**META, "finalizers": []}},
]


def entries(document: dict[str, Any]) -> Any:
    schema = builtin_schema("", "v1", "Event")
    assert schema is not None
    made = fieldmanager.updated(schema, None, document, manager="m", api_version="v1", now="2026-01-01T00:00:00Z")
    return made["metadata"].get("managedFields")


def test_remembered_fields_are_those_of_looking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = [entries(document) for document in [*DOCUMENTS, *DOCUMENTS]]
    monkeypatch.setattr(fieldset, "shape", lambda doc: None)
    assert remembered == [entries(document) for document in [*DOCUMENTS, *DOCUMENTS]]


def test_shapes_are_equal_when_nothing_but_values_differs() -> None:
    assert fieldset.shape({"a": "x", "b": {"c": 1}}) == fieldset.shape({"a": "y", "b": {"c": 2}})
    assert fieldset.shape({"a": 1}) != fieldset.shape({"a": 0})
    assert fieldset.shape({"a": {"b": 1}}) != fieldset.shape({"a": {"c": 1}})
    assert fieldset.shape({"a": [1]}) is None
