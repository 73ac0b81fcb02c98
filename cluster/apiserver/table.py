"""Tables: what ``kubectl get`` really receives.

kubectl asks with ``Accept: application/json;as=Table;v=v1;g=meta.k8s.io`` and the *server* works out the columns and
cells, because only it knows what STATUS of a pod means; kubectl only lays them out. In every row stands the object's
metadata too (``includeObject``: Metadata, Object or None), so that ``--show-labels`` or ``--sort-by`` need no second
request.

In → a ``Resource``, documents of that kind, the server's Unix time in seconds (ages are counted on its clock), the list's
metadata. Out → a ``Table`` document. ``partial_metadata`` is the smaller sister for ``as=PartialObjectMetadata``.
Errors: none; a kind without columns of its own gets Name and Created At.

Simplified here: nothing of the format; ``date`` cells of custom columns are ages by the same clock.

Upstream: apiserver/pkg/endpoints/handlers/response.go, pkg/printers/storage, apiextensions…/tableconvertor; 1.32.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cluster.apiserver.printers import CELLS, columns, text

if TYPE_CHECKING:
    from cluster.api.scheme import Resource

Doc = dict[str, Any]

_POD_CONDITIONS = {
    "Succeeded": [
        {
            "type": "Completed",
            "status": "True",
            "reason": "Succeeded",
            "message": "The pod has completed successfully.",
        }
    ],
    "Failed": [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}],
}


def render(
    resource: "Resource",
    docs: list[Doc],
    now: float,
    *,
    include_object: str = "Metadata",
    list_meta: Doc | None = None,
    headers: bool = True,
    version: str = "v1",
    kind: str = "",
) -> Doc:
    """One ``Table`` of ``docs``.

    ``list_meta``: the list's metadata; None for a single object, whose resourceVersion is then the table's. ``headers``
    False leaves the column definitions out, as in every event of a watch but the first. ``version`` is meta.k8s.io's
    ("v1", "v1beta1"). ``kind``: what the documents are when it isn't the resource's own kind ("Scale").
    """
    if list_meta is None:
        version_of = docs[0]["metadata"].get("resourceVersion") if docs else None
        list_meta = {"resourceVersion": version_of} if version_of else {}
    group, kind = ("autoscaling", kind) if kind == "Scale" else (resource.group, kind or resource.kind)
    if resource.crd is not None and kind == resource.kind:
        custom = custom_columns(resource)
        defined = _custom_definitions(custom)
        rows = [_row(doc, _custom_cells(custom, doc, now), include_object, version) for doc in docs]
    else:
        defined = columns.of_kind(group, kind)
        cells = CELLS.get((group, kind), _default_cells)
        rows = [_row(doc, cells(doc, now), include_object, version) for doc in docs]
        if kind == "Pod" and not group:
            rows = [_with_conditions(row, doc) for row, doc in zip(rows, docs, strict=True)]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": list_meta,
        "columnDefinitions": defined if headers else None,
        "rows": rows,
    }


def partial_metadata(doc: Doc, version: str = "v1") -> Doc:
    """Only the metadata of ``doc``, as a ``PartialObjectMetadata``."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": doc.get("metadata") or {},
    }


def partial_metadata_list(docs: list[Doc], list_meta: Doc, version: str = "v1") -> Doc:
    """A ``PartialObjectMetadataList`` of ``docs``."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": list_meta,
        "items": [partial_metadata(doc, version) for doc in docs],
    }


def _row(doc: Doc, cells: list[Any], include_object: str, version: str) -> Doc:
    if include_object == "None":
        return {"cells": cells, "object": None}
    return {"cells": cells, "object": doc if include_object == "Object" else partial_metadata(doc, version)}


def _with_conditions(row: Doc, doc: Doc) -> Doc:
    found = _POD_CONDITIONS.get((doc.get("status") or {}).get("phase", ""))
    return {"cells": row["cells"], "conditions": found, "object": row["object"]} if found else row


def _default_cells(doc: Doc, now: float) -> list[Any]:
    return [doc["metadata"].get("name", ""), doc["metadata"].get("creationTimestamp")]


def custom_columns(resource: "Resource") -> list[Doc]:
    """The ``additionalPrinterColumns`` of a custom resource's version; Age alone when it names none."""
    for version in resource.crd["spec"].get("versions") or ():
        if version["name"] == resource.version and version.get("additionalPrinterColumns"):
            return version["additionalPrinterColumns"]
    return [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]


def _custom_definitions(custom: list[Doc]) -> list[Doc]:
    defined = columns.documents([columns.NAME])
    for column in custom:
        description = column.get("description", "")
        if not description and column["jsonPath"] == ".metadata.creationTimestamp":
            description = columns.description("meta/ObjectMeta:creationTimestamp")
        defined.append(
            {
                "name": column["name"],
                "type": column["type"],
                "format": column.get("format", ""),
                "description": description
                or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
                "priority": column.get("priority", 0),
            }
        )
    return defined


def _custom_cells(custom: list[Doc], doc: Doc, now: float) -> list[Any]:
    return [doc["metadata"]["name"], *(_custom_cell(column, doc, now) for column in custom)]


def _custom_cell(column: Doc, doc: Doc, now: float) -> Any:
    found = lookup(doc, column["jsonPath"])
    if not found:
        return None
    value = found[0]
    match column["type"]:
        case "integer" if isinstance(value, int | float):
            return int(value)
        case "number" if isinstance(value, int | float):
            return float(value)
        case "boolean" if isinstance(value, bool):
            return value
        case "date" if isinstance(value, str):
            return text.since(value, now)
        case "string":
            return " ".join(_go_text(each) for each in found)
    return None


def _go_text(value: Any) -> str:
    """How jsonpath prints one result."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go_text(each) for each in value) + "]"
    return "<nil>" if value is None else str(value)


_STEP = re.compile(
    r"\.(?P<field>(?:\\.|[^.\[\]\\])+)|\[(?P<index>-?\d+)\]|\[(?P<all>\*)\]|\['(?P<quoted>[^']*)'\]"
    r"|\[\?\(@\.(?P<key>[\w.]+)\s*==\s*[\"'](?P<value>[^\"']*)[\"']\)\]"
)


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[tuple[str, str, str], ...]:
    found, at = [], 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return ()
        name = match.lastgroup or ""
        if name == "value":
            found.append(("filter", match["key"], match["value"]))
        else:
            found.append((name, re.sub(r"\\(.)", r"\1", match[name]), ""))
        at = match.end()
    return tuple(found)


def lookup(doc: Doc, path: str) -> list[Any]:
    """What a column's simple JSONPath finds: fields, indices, ``[*]`` and ``[?(@.type=="Ready")]``. Empty when absent.

    CRD validation allows only simple paths in printer columns; others find nothing.
    """
    values: list[Any] = [doc]
    steps = _steps(path)
    if not steps:
        return []
    for name, key, wanted in steps:
        values = [found for value in values for found in _step(value, name, key, wanted)]
    return values


def _step(value: Any, name: str, key: str, wanted: str) -> list[Any]:
    if name in ("field", "quoted"):
        return [value[key]] if isinstance(value, dict) and key in value else []
    if not isinstance(value, list):
        return list(value.values()) if name == "all" and isinstance(value, dict) else []
    if name == "all":
        return value
    if name == "index":
        place = int(key)
        return [value[place]] if -len(value) <= place < len(value) else []
    return [each for each in value if lookup(each, f".{key}") and _go_text(lookup(each, f".{key}")[0]) == wanted]
