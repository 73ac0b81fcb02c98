"""The patch of ``kubectl apply``: from what was applied last, what is wanted now, and what is live.

What the file adds or changes against the live object is set; what it had last time and no longer has is deleted; the rest is left
alone. Lists with a merge key (containers by name, ports by port …) are compared element by element: the strategic form. Kinds without
definitions (custom resources) get a JSON merge patch, where lists are replaced whole.

Simplified here: ``$setElementOrder`` is not sent: new elements go where the server puts them.
Upstream: apimachinery/pkg/util/strategicpatch CreateThreeWayMergePatch, jsonmergepatch.
"""

from typing import Any

import orjson

from cluster.api import definitions
from cluster.shell.commands.kubectl.client import Mapping
from cluster.shell.goyaml import go_json

Doc = dict[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def with_last_applied(doc: Doc) -> Doc:
    """``doc`` with itself in the annotation."""
    metadata = dict(doc.get("metadata") or {})
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    bare = {**doc, "metadata": {**metadata, "annotations": annotations}}
    return {**doc, "metadata": {**metadata, "annotations": {**annotations, LAST_APPLIED: go_json(bare) + "\n"}}}


def original_of(live: Doc) -> Doc:
    """What was applied last; nothing if that isn't known."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    if not text:
        return {}
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}


def merge_patch_of(original: Any, modified: Any, live: Any) -> Doc:
    """A JSON merge patch."""
    patch: Doc = {}
    for key, value in modified.items():
        have = live.get(key)
        if isinstance(value, dict) and isinstance(have, dict):
            inner = merge_patch_of(original.get(key) or {}, value, have)
            if inner:
                patch[key] = inner
        elif (key not in live or value != have) and (value is not None or key in live):
            patch[key] = value
    for key in original:
        if key not in modified and key in live:
            patch[key] = None
    return patch


def strategic_patch_of(mapping: Mapping, original: Doc, modified: Doc, live: Doc) -> Doc | None:
    """A strategic merge patch; None if the kind has no definitions."""
    name = definitions.by_kind().get((mapping.group, mapping.version, mapping.kind))
    if name is None:
        return None
    return _objects(definitions.definition(name), original, modified, live)


def _schema_of(prop: Doc) -> Doc:
    """The schema a property refers to."""
    if isinstance(prop.get("$ref"), str):
        return definitions.definition(definitions.ref_name(prop["$ref"]))
    return prop


def _objects(schema: Doc, original: Any, modified: Doc, live: Doc) -> Doc:
    patch: Doc = {}
    properties = schema.get("properties") or {}
    original = original if isinstance(original, dict) else {}
    for key, value in modified.items():
        have = live.get(key)
        prop = properties.get(key) or schema.get("additionalProperties") or {}
        prop = prop if isinstance(prop, dict) else {}
        if isinstance(value, dict) and isinstance(have, dict):
            inner = _objects(_schema_of(prop), original.get(key), value, have)
            if "retainKeys" in prop.get("x-kubernetes-patch-strategy", "") and inner:
                inner["$retainKeys"] = sorted(value)
            if inner:
                patch[key] = inner
        elif isinstance(value, list) and isinstance(have, list):
            patch.update(_lists(key, prop, original.get(key), value, have))
        elif (key not in live or not _equal(value, have)) and (value is not None or key in live):
            patch[key] = value
    for key in original:
        if key not in modified and key in live:
            patch[key] = None
    return patch


def _equal(one: Any, other: Any) -> bool:
    """Equal as the server will store them: ``"1"`` and 1 differ, 1 and 1.0 don't."""
    return (type(one) is type(other) and one == other) or (
        isinstance(one, int | float) and isinstance(other, int | float) and not isinstance(one, bool) and one == other
    )


def _lists(key: str, prop: Doc, original: Any, modified: list[Any], live: list[Any]) -> Doc:
    original = original if isinstance(original, list) else []
    merges = "merge" in prop.get("x-kubernetes-patch-strategy", "")
    by = prop.get("x-kubernetes-patch-merge-key")
    if not merges:
        return {} if modified == live else {key: modified}
    if by is None:  # a set of plain values
        patch: Doc = {}
        added = [value for value in modified if value not in live]
        removed = [value for value in original if value not in modified and value in live]
        if added:
            patch[key] = added
        if removed:
            patch[f"$deleteFromPrimitiveList/{key}"] = removed
        return patch
    schema = _schema_of(prop.get("items") or {})
    live_by = {each.get(by): each for each in live if isinstance(each, dict)}
    original_by = {each.get(by): each for each in original if isinstance(each, dict)}
    wanted = {each.get(by): True for each in modified if isinstance(each, dict)}
    changes: list[Doc] = []
    for each in modified:
        name = each.get(by)
        if name not in live_by:
            changes.append(each)
            continue
        inner = _objects(schema, original_by.get(name), each, live_by[name])
        if inner:
            changes.append({**inner, by: name})
    for name in original_by:
        if name not in wanted and name in live_by:
            changes.append({"$patch": "delete", by: name})
    return {key: changes} if changes else {}
