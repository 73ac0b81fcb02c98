"""The kinds of a cluster as a page lists them, and one kind as the table that ``kubectl get`` prints.

In → a ``Scene``, names and filters; out → dicts. ``kinds``: every kind that the cluster serves and stores, with how many there are.
``table``: the server's own columns and cells (``cluster.apiserver.table``), for the rows of one page only: what is filtered, counted
and sorted are documents as etcd holds them, so a page of 10,000 pods costs what a page of 100 does, and a walk over the names.

Errors: KeyError for a kind nobody serves; a selector that can't be read is said in ``problem``, and no row matches.

Simplified here: a field selector may name any path (``spec.nodeName=node-1``), where the real server knows a few per kind.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cluster.api import selectors
from cluster.api.scheme import Resource, Scheme, builtin
from cluster.apiserver import table as tables
from cluster.snapshot.objects import pod_shape
from cluster.snapshot.scene import Scene

Doc = dict[str, Any]
PAGE = 100
MOST = 500
"""Rows of one answer, at most."""
_DIGITS = re.compile(r"(\d+)")


def scheme_of(scene: Scene) -> Scheme:
    """What the cluster serves: the built-in kinds and its CustomResourceDefinitions'."""
    crds = scene.objects.get("customresourcedefinitions")
    if not crds:
        return builtin()
    key = tuple((name, doc["metadata"].get("resourceVersion", "")) for name, doc in crds.items())
    if scene.objects.scheme is None or scene.objects.scheme[0] != key:
        scene.objects.scheme = (key, builtin().with_crds(crds.values()))
    return scene.objects.scheme[1]


def served(scene: Scene) -> list[Resource]:
    """Every stored kind once, in its group's preferred version. Events are the core group's."""
    scheme = scheme_of(scene)
    found: dict[str, Resource] = {}
    for resource in scheme.resources():
        if not resource.stored or resource.group == "events.k8s.io":
            continue
        versions = scheme.versions(resource.group)
        known = found.get(resource.group_resource)
        if known is None or versions.index(resource.version) < versions.index(known.version):
            found[resource.group_resource] = resource
    return list(found.values())


def resolve(scene: Scene, text: str) -> Resource:
    """A kind by what people call it: ``deployments.apps``, ``deployments``, ``deployment``, ``deploy``. KeyError."""
    wanted = text.lower()
    resources = served(scene)
    for name_of in (
        lambda one: (one.group_resource,),
        lambda one: (one.plural,),
        lambda one: (one.singular, *one.short_names, f"{one.singular}.{one.group}"),
    ):
        for resource in resources:
            if wanted in name_of(resource):
                return resource
    raise KeyError(text)


def stored_name(resource: Resource) -> str:
    """The name of a kind's table in ``Objects``."""
    return resource.group_resource if resource.crd is not None else resource.plural


def documents(scene: Scene, resource: Resource) -> Mapping[str, Doc]:
    """All documents of a kind, by "namespace/name" or "name", in the version they are stored in."""
    return scene.objects.get(stored_name(resource))


def described(resource: Resource) -> Doc:
    """A kind as pages and calls know it."""
    return {
        "resource": resource.group_resource,
        "plural": resource.plural,
        "group": resource.group,
        "version": resource.version,
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "namespaced": resource.namespaced,
        "shortNames": list(resource.short_names),
        "verbs": list(resource.verbs),
        "custom": resource.crd is not None,
        "table": stored_name(resource),
    }


def kinds(scene: Scene) -> list[Doc]:
    """Every kind that is stored, with its ``count``."""
    return [{**described(one), "count": len(documents(scene, one))} for one in served(scene)]


def mapping(scene: Scene) -> list[Doc]:
    """Every served version of every kind, for whoever turns documents into addresses (kubectl's REST mapping)."""
    return [described(one) for one in scheme_of(scene).resources()]


def table(
    scene: Scene,
    resource: str,
    namespace: str = "",
    text: str = "",
    labels: str = "",
    fields: str = "",
    phase: str = "",
    sort: str = "",
    offset: int = 0,
    limit: int = PAGE,
) -> Doc:
    """One page of a kind's table. ``sort``: a column's name in lower case, ``-`` before it turns it round; "": by name."""
    kind = resolve(scene, resource)
    docs = documents(scene, kind)
    shapes = scene.objects.shapes() if kind.plural == "pods" and not kind.group else {}
    problem, matched = "", []
    try:
        matched = matching(kind, docs, namespace, text.lower(), labels, fields, phase, shapes)
    except selectors.SelectorError as error:
        problem = str(error)
    now = scene.spec.epoch + scene.world.now // 1_000_000_000
    served_docs = _served_as(scene, kind)
    offset, limit = max(offset, 0), min(max(limit, 1), MOST)
    ordered = _sorted(kind, matched, sort, now, served_docs)
    page = ordered[offset : offset + limit]
    shown = tables.render(kind, [served_docs(doc) for doc in page], now, include_object="None")
    return {
        **described(kind),
        "columns": [
            {"name": one["name"], "wide": one.get("priority", 0) > 0, "description": one.get("description", "")}
            for one in shown["columnDefinitions"]
        ],
        "rows": [_row(kind, doc, row["cells"]) for doc, row in zip(page, shown["rows"], strict=True)],
        "total": len(docs),
        "matched": len(matched),
        "offset": offset,
        "limit": limit,
        "namespaces": _counted(name.partition("/")[0] for name in docs) if kind.namespaced else {},
        "phases": _counted(shapes.values()),
        "problem": problem,
        "revision": scene.objects.revision,
    }


def matching(
    kind: Resource,
    docs: Mapping[str, Doc],
    namespace: str,
    text: str,
    labels: str,
    fields: str,
    phase: str,
    shapes: dict[str, str],
) -> list[Doc]:
    """The documents that pass every filter, by name. SelectorError."""
    tests: list[Callable[[Doc], bool]] = []
    if labels:
        selector = selectors.parse_labels(labels)
        tests.append(lambda doc: selector.matches(doc["metadata"].get("labels") or {}))
    if fields:
        wanted = selectors.parse_fields(fields)
        tests.append(lambda doc: wanted.matches({one.field: said_at(doc, one.field) for one in wanted.requirements}))
    prefix = f"{namespace}/" if namespace and kind.namespaced else ""
    names = sorted(name for name in docs if name.startswith(prefix) and text in name.lower())
    if phase and shapes:
        names = [name for name in names if shapes[name] == phase]
    return [docs[name] for name in names if all(test(docs[name]) for test in tests)]


def said_at(doc: Doc, path: str) -> str:
    """The value at ``spec.nodeName`` as text; "" when there is none."""
    found = tables.lookup(doc, "." + path.lstrip("."))
    value = found[0] if found else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _served_as(scene: Scene, kind: Resource) -> Callable[[Doc], Doc]:
    if kind.storage_api_version == kind.api_version and kind.crd is None:
        return lambda doc: doc
    scheme = scheme_of(scene)
    return lambda doc: scheme.convert(doc, kind.group, kind.version)


def _sorted(kind: Resource, docs: list[Doc], sort: str, now: float, served_docs: Callable[[Doc], Doc]) -> list[Doc]:
    """Stable: equal ones stay by name, in both directions."""
    column, backwards = sort.removeprefix("-"), sort.startswith("-")
    if column in ("", "name"):
        keys: list[Any] = [(doc["metadata"]["name"], doc["metadata"].get("namespace", "")) for doc in docs]
        if not column:
            return docs
    elif column == "namespace":
        keys = [doc["metadata"].get("namespace", "") for doc in docs]
    elif column in ("age", "created at"):
        keys = [_turned(doc["metadata"].get("creationTimestamp") or "") for doc in docs]
    else:
        shown = tables.render(kind, [served_docs(doc) for doc in docs], now, include_object="None")
        place = next((n for n, one in enumerate(shown["columnDefinitions"]) if one["name"].lower() == column), None)
        if place is None:
            return docs
        keys = [natural(row["cells"][place]) for row in shown["rows"]]
    order = sorted(range(len(docs)), key=keys.__getitem__, reverse=backwards)
    return [docs[n] for n in order]


def _turned(timestamp: str) -> tuple[int, ...]:
    """Youngest first, as an age sorts."""
    return tuple(-ord(char) for char in timestamp)


def natural(cell: Any) -> tuple[Any, ...]:
    """Numbers inside a text count as numbers: ``web-2`` before ``web-10``."""
    pieces = _DIGITS.split(str("" if cell is None else cell).lower())
    return tuple((1, int(one), "") if n % 2 else (0, 0, one) for n, one in enumerate(pieces))


def _row(kind: Resource, doc: Doc, cells: list[Any]) -> Doc:
    meta = doc["metadata"]
    row = {
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "uid": meta.get("uid", ""),
        "rv": meta.get("resourceVersion", ""),
        "cells": ["" if cell is None else str(cell) for cell in cells],
    }
    if kind.plural == "pods" and not kind.group:
        row["shape"] = pod_shape(doc)
    return row


def _counted(values: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return {value: found[value] for value in sorted(found)}
