"""Objects: all kinds, one kind as a table, one object with its field owners, history, relations, requests and Events, and editing.

Addresses: ``objects/``, ``objects/<resource>[.group]/``, ``objects/<resource>/<namespace or _>/<name>/?tab=`` (``-`` is understood too). Looking works at any
moment; changing (``act`` in a POST) only now, and is a real request to the apiserver (``explainer.gateway.desk``).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from cluster.shell import goyaml
from explainer.fragments import graph_drawing, object_view, trace_view, yaml_places
from explainer.fragments.whole import whole
from explainer.gateway.desk import HOWS, Refused, as_map, read_documents
from explainer.pages import context
from explainer.pages.reads import Missing, Unreachable
from explainer.runs.bus import Failed, Unavailable

from .common import ask, asked_for, attempt, drawn_errors, is_fragment, number, sent

PAGE_SIZE = 100
TABS = ("yaml", "history", "graph", "requests", "events", "edit")
FILTERS = ("namespace", "text", "labels", "fields", "phase", "sort")
UNEDITED = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")
"""Metadata that the server keeps; left out of a text to edit."""
POLICIES = ("Background", "Foreground", "Orphan")

NEW = """apiVersion: v1
kind: ConfigMap
metadata:
  name: hello
  namespace: default
data:
  greeting: hello
"""


def purposes() -> list[tuple[str, tuple[str, ...]]]:
    """What kinds are for, as people look for them."""
    return [
        (_("Workloads"), ("pods", "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "cronjobs.batch", "replicationcontrollers", "controllerrevisions.apps", "horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy", "podtemplates")),
        (_("Network"), ("services", "endpointslices.discovery.k8s.io", "endpoints", "ingresses.networking.k8s.io", "ingressclasses.networking.k8s.io", "networkpolicies.networking.k8s.io")),
        (_("Configuration and storage"), ("configmaps", "secrets", "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io", "csidrivers.storage.k8s.io", "csinodes.storage.k8s.io", "csistoragecapacities.storage.k8s.io", "volumeattachments.storage.k8s.io")),
        (_("Who may do what"), ("serviceaccounts", "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io", "certificatesigningrequests.certificates.k8s.io")),
        (_("The cluster itself"), ("nodes", "namespaces", "events", "leases.coordination.k8s.io", "resourcequotas", "limitranges", "priorityclasses.scheduling.k8s.io", "runtimeclasses.node.k8s.io")),
    ]  # fmt: skip


def href(cluster: str, resource: str, namespace: str = "", name: str = "") -> str:
    """The address of a kind or an object."""
    base = f"/clusters/{cluster}/objects/{quote(resource, safe='.')}/"
    return f"{base}{quote(namespace or '_', safe='')}/{quote(name, safe=':')}/" if name else base


def trace(cluster: str, request: int | None) -> str:
    """The address of a request in the tracer; "" when it is forgotten."""
    return f"/clusters/{cluster}/requests/{request}/" if request else ""


@drawn_errors
async def kinds_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """All kinds with their counts."""
    frame = await context.frame(request, cluster, "objects")
    found, problem = [], frame["problem"]
    try:
        found = await ask(frame, "kinds")
    except Unreachable:
        problem = problem or _("The simulation does not answer.")
    text = asked_for(request, "text").lower()
    shown = [
        one
        for one in found
        if not text or any(text in word.lower() for word in (one["resource"], one["kind"], *one["shortNames"]))
    ]
    left = {one["resource"]: {**one, "href": href(cluster, one["resource"])} for one in shown}
    groups = []
    for title, names in purposes():
        groups.append((title, [left.pop(name) for name in names if name in left]))
    groups.append((_("Custom kinds"), [left.pop(name) for name in list(left) if left[name]["custom"]]))
    groups.append((_("How the API server is extended and protected"), list(left.values())))
    data = {
        "frame": frame, "groups": [group for group in groups if group[1]], "problem": problem, "text": text,
        "kinds": len(found), "objects": sum(one["count"] for one in found),
    }  # fmt: skip
    return render(request, "objects/kinds.html", data)


@drawn_errors
async def table_page(request: HttpRequest, cluster: str, resource: str) -> HttpResponse:
    """One kind as the table that kubectl get prints."""
    frame = await context.frame(request, cluster, "objects")
    asked = {key: asked_for(request, key)[:300] for key in FILTERS}
    args: dict[str, Any] = {key: value for key, value in asked.items() if value}
    args |= {"limit": PAGE_SIZE, "offset": number(request, "offset", 0, 9)}
    try:
        found = await ask(frame, "table", resource=resource, **args)
    except Unreachable:
        return render(request, "objects/unreachable.html", {"frame": frame, "resource": resource}, status=503)
    wide = asked_for(request, "wide") == "1"
    columns, namespace_sort = _columns(found, asked, wide, frame["kept"])
    for row in found["rows"]:
        row["href"] = href(cluster, found["resource"], row["namespace"], row["name"])
        row["key"] = f"{row['namespace']}/{row['name']}"
        row["shown"] = [(cell, column) for cell, column in zip(row["cells"], columns, strict=True) if column["shown"]]
    last = found["offset"] + len(found["rows"])
    given = frame["kept"] | {key: value for key, value in asked.items() if value} | ({"wide": "1"} if wide else {})
    data = {
        "frame": frame, "found": found, "asked": asked, "wide": wide, "columns": [one for one in columns if one["shown"]],
        "has_wide": any(one["wide"] for one in columns), "first": found["offset"] + 1 if found["rows"] else 0, "last": last,
        "previous": _page(given, found["offset"] - found["limit"]) if found["offset"] else "",
        "next": _page(given, last) if last < found["matched"] else "",
        "namespace_sort": namespace_sort, "filtered": any(asked[key] for key in FILTERS[:-1]), "namespaced": found["namespaced"],
        "narrow_title": found["kind"], "clear": href(cluster, found["resource"]),
    }  # fmt: skip
    template = (
        "objects/rows.html" if is_fragment(request) or asked_for(request, "part") == "rows" else "objects/table.html"
    )
    return render(request, template, data)


def _columns(
    found: dict[str, Any], asked: dict[str, str], wide: bool, kept: dict[str, str]
) -> tuple[list[dict[str, Any]], str]:
    """The columns with the address that sorts by each; and that for the namespace, which is no column of the server's."""
    given = (
        kept | {key: value for key, value in asked.items() if value and key != "sort"} | ({"wide": "1"} if wide else {})
    )

    def sorting(word: str) -> tuple[str, str]:
        now = asked["sort"].removeprefix("-") == word
        turned = now and not asked["sort"].startswith("-")
        order = "ascending" if turned else "descending" if now else ""
        return order, "?" + urlencode(given | {"sort": f"-{word}" if turned else word})

    out = []
    for column in found["columns"]:
        order, address = sorting(column["name"].lower())
        out.append({**column, "shown": wide or not column["wide"], "order": order, "sort": address})
    return out, sorting("namespace")[1]


def _page(given: dict[str, str], offset: int) -> str:
    rest = {key: value for key, value in given.items() if key != "offset"}
    if offset > 0:
        rest["offset"] = str(offset)
    return "?" + urlencode(rest)


@drawn_errors
async def object_page(request: HttpRequest, cluster: str, resource: str, namespace: str, name: str) -> HttpResponse:
    """One object."""
    frame = await context.frame(request, cluster, "objects")
    namespace = "" if namespace in ("_", "-") else namespace
    which = {"resource": resource, "namespace": namespace, "name": name}
    try:
        found = await ask(frame, "thing", **which)
    except Unreachable:
        return render(request, "objects/unreachable.html", {"frame": frame, **which}, status=503)
    except Missing:
        data = {"frame": frame, **which, "list": href(cluster, resource)}
        return render(request, "objects/forgotten.html", data, status=404)
    tab = asked_for(request, "tab")
    tab = tab if tab in TABS else "yaml"
    reveal = asked_for(request, "reveal") == "1"
    doc = found["doc"]
    secret = object_view.is_secret(doc)
    data: dict[str, Any] = {
        "frame": frame, "found": found, "doc": doc, "tab": tab, "which": which, "secret": secret, "reveal": reveal,
        "here": href(cluster, found["resource"], namespace, name), "list": href(cluster, found["resource"]),
        "tabs": [{"name": one, "label": label} for one, label in _tab_words().items()],
        "conditions": _conditions(doc), "owner": _owner(cluster, found), "moment": frame["at"], "managed": False,
    }  # fmt: skip
    seen = doc if reveal or not secret else object_view.masked(doc)
    match tab:
        case "yaml":
            managed = asked_for(request, "managed") == "1"
            data |= {
                "lines": _lines(seen, managed),
                "managers": object_view.managers(doc),
                "managed": managed,
                "plain": object_view.text_of(seen),
            }
        case "history":
            data |= await _history(request, frame, which, seen is doc)
        case "graph":
            graph = await attempt(frame, "relations", None, **which)
            if graph is not None:
                for node in graph["nodes"]:
                    known = node["resource"] not in ("users", "groups")
                    node["href"] = href(cluster, node["resource"], node["namespace"], node["name"]) if known else ""
                data |= {
                    "graph": graph_drawing.draw(graph, frame["screen"]),
                    "sentences": graph_drawing.sentences(graph),
                }
        case "requests":
            data["requests"] = await attempt(frame, "touched", [], **which)
            for row in data["requests"]:
                row |= {"href": trace(cluster, row["id"]), "who": trace_view.who(row)}
        case "events":
            data["events"] = await attempt(frame, "about", [], **which)
            for row in data["events"]:
                row["href"] = href(cluster, "events", row["namespace"], row["name"])
        case "edit":
            status = await _edit(request, frame, data)
            if status:
                return render(request, "objects/result.html" if is_fragment(request) else "objects/thing.html", data)
    template = (
        "objects/panel.html" if is_fragment(request) or asked_for(request, "part") == "panel" else "objects/thing.html"
    )
    return render(request, template, data)


def _tab_words() -> dict[str, str]:
    return {
        "yaml": "YAML", "history": _("History"), "graph": _("Belongs to"), "requests": _("Requests"), "events": _("Events"),
        "edit": _("Edit"),
    }  # fmt: skip


def _lines(doc: dict[str, Any], managed: bool) -> list[dict[str, Any]]:
    entries = object_view.managers(doc)
    lines = object_view.lines(doc, managed)
    for line in lines:
        line["letters"] = " ".join(entries[place]["letter"] for place in line["owners"])
        line["names"] = ", ".join(dict.fromkeys(entries[place]["manager"] or _("unnamed") for place in line["owners"]))
        line["places"] = " ".join(str(place) for place in line["owners"])
    return lines


def _conditions(doc: dict[str, Any]) -> list[dict[str, Any]]:
    """The status conditions. Whether True is the good news depends on the type; only Ready and its like are judged."""
    rows = []
    for one in as_map(doc.get("status")).get("conditions") or []:
        if not isinstance(one, dict) or "type" not in one:
            continue
        bad = ("Pressure" in one["type"]) or one["type"] in (
            "NetworkUnavailable",
            "ReplicaFailure",
            "Failed",
            "DisruptionTarget",
            "Terminating",
        )
        value = str(one.get("status", ""))
        outcome = "wait" if value == "Unknown" else "allow" if (value == "True") is not bad else "deny"
        rows.append({**one, "outcome": outcome})
    return rows


def _owner(cluster: str, found: dict[str, Any]) -> dict[str, str] | None:
    owners = found["doc"].get("metadata", {}).get("ownerReferences") or []
    if not owners:
        return None
    one = next((owner for owner in owners if owner.get("controller")), owners[0])
    group = one["apiVersion"].rpartition("/")[0]
    plural = one["kind"].lower()
    return {
        "kind": one["kind"],
        "name": one["name"],
        "href": href(cluster, f"{plural}.{group}" if group else plural, found["namespace"], one["name"]),
    }


async def _history(request: HttpRequest, frame: dict[str, Any], which: dict[str, str], reveal: bool) -> dict[str, Any]:
    sides = {side: whole(asked_for(request, side), 15) for side in ("left", "right")}
    picked = {side: revision for side, revision in sides.items() if revision is not None}
    history = await attempt(frame, "revisions", None, **which, **picked)
    if history is None:
        return {"history": None}
    sides = [history[side]["doc"] for side in ("left", "right")]
    if not reveal:
        sides = [object_view.masked(doc) if doc else doc for doc in sides]
    if history["left"]["revision"] == history["right"]["revision"]:
        sides[0] = None
    for row in history["rows"]:
        row["more"] = row["changes"] - len(row["paths"])
        row["trace"] = trace(frame["cluster"], row["request"])
        row["who"] = trace_view.who(row) if row["user"] else row["manager"]
    return {"history": history, "diff": object_view.difference(*(_quiet(doc) if doc else None for doc in sides))}


# -- changing -------------------------------------------------------------------------------------------------------------


def editable(doc: dict[str, Any]) -> str:
    """An object as a text to start from: what a person says, without what the server keeps."""
    meta = {key: value for key, value in (doc.get("metadata") or {}).items() if key not in UNEDITED}
    return goyaml.dump({**{key: value for key, value in doc.items() if key != "status"}, "metadata": meta})


async def _edit(request: HttpRequest, frame: dict[str, Any], data: dict[str, Any]) -> bool:
    """Fill in the edit tab; True when something was sent (``data`` then has its ``result``)."""
    found = data["found"]
    data |= {
        "text": editable(data["doc"]),
        "how": "apply",
        "hows": HOWS[:3:2],
        "policies": POLICIES,
        "policy": POLICIES[0],
    }
    data["loaded"] = data["doc"].get("metadata", {}).get("resourceVersion", "")
    graph = await attempt(frame, "relations", {"nodes": [], "edges": []}, **data["which"])
    known = {node["id"]: node for node in graph["nodes"]}
    middle = next((node["id"] for node in graph["nodes"] if node["level"] == 0), "")
    data["owned"] = [known[edge["to"]] for edge in graph["edges"] if edge["from"] == middle and edge["word"] == "owns"]
    data["leading"] = [
        known[edge["from"]] for edge in graph["edges"] if edge["to"] == middle and edge["word"] != "owns"
    ]
    data["gone"] = found["gone"]
    if request.method != "POST" or frame["at"]:
        return False
    if sent(request, "act") == "delete":
        data["policy"] = sent(request, "policy") if sent(request, "policy") in POLICIES else POLICIES[0]
        identity = {key: found["doc"].get(key) for key in ("apiVersion", "kind")}
        doc = {
            **identity,
            "metadata": {"name": found["name"], **({"namespace": found["namespace"]} if found["namespace"] else {})},
        }
        data["result"] = await _send(request, frame, goyaml.dump(doc), "delete", propagation=data["policy"])
    else:
        data["text"] = str(request.POST.get("text", ""))
        data["how"] = sent(request, "how") if sent(request, "how") in HOWS else "apply"
        data["result"] = await _send(request, frame, data["text"], data["how"])
    return True


@drawn_errors
async def create_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """New objects from YAML."""
    frame = await context.frame(request, cluster, "objects")
    how = sent(request, "how") if sent(request, "how") in HOWS else "create"
    data: dict[str, Any] = {
        "frame": frame,
        "text": NEW,
        "how": how,
        "hows": ("create", "apply"),
        "create": True,
        "moment": frame["at"],
    }
    if request.method == "POST" and not frame["at"]:
        data["text"] = str(request.POST.get("text", ""))
        data["result"] = await _send(request, frame, data["text"], how)
        if is_fragment(request):
            return render(request, "objects/result.html", data)
    return render(request, "objects/create.html", data)


async def _send(
    request: HttpRequest, frame: dict[str, Any], text: str, how: str, propagation: str = ""
) -> dict[str, Any]:
    """Check (a dry run) or do what the form asks; what came of it, for the template."""
    act, force = sent(request, "act"), sent(request, "force") == "1"
    dry = act == "check"
    out: dict[str, Any] = {"act": act, "dry": dry, "how": how, "force": force, "rows": [], "error": "", "line": 0}
    submit = import_string(getattr(settings, "CLEARPLANE_SENDS", "explainer.gateway.desk.submit"))
    remote = f"{request.META.get('REMOTE_ADDR') or '127.0.0.1'}:0"
    before: list[Any] = []
    try:
        if dry:
            before = await _as_it_is(frame, text)
        rows = await submit(
            frame["cluster"], text, how, force=force, dry_run=dry, propagation=propagation, remote=remote
        )
    except Refused as error:
        return out | {"error": error.sentence, "line": error.line}
    except (Unavailable, Failed) as error:
        return out | {"error": str(error)}
    for row in rows:
        old = next((one for one in before if one and _same(one, row)), None)
        out["rows"].append(_told(frame["cluster"], row, text, dry, old))
    out["ok"] = bool(rows) and all(row["ok"] for row in out["rows"])
    out["conflict"] = any(row["conflicts"] for row in out["rows"])
    return out


async def _as_it_is(frame: dict[str, Any], text: str) -> list[Any]:
    """The objects of the text as the cluster has them now."""
    found = []
    for doc in read_documents(text):
        meta = as_map(doc.get("metadata"))
        if not isinstance(doc.get("kind"), str) or not isinstance(meta.get("name"), str):
            continue
        group = str(doc.get("apiVersion", "")).rpartition("/")[0]
        name = f"{doc['kind'].lower()}.{group}" if group else doc["kind"].lower()
        where = str(meta.get("namespace") or "default")
        one = await attempt(frame, "thing", None, resource=name, namespace=where, name=meta["name"])
        if one is not None and not one["gone"]:
            found.append(one["doc"])
    return found


def _same(doc: dict[str, Any], row: dict[str, Any]) -> bool:
    meta = doc.get("metadata") or {}
    return (
        doc.get("kind") == row["kind"]
        and meta.get("name") == row["name"]
        and meta.get("namespace", "") == row["namespace"]
    )


def _told(cluster: str, row: dict[str, Any], text: str, dry: bool, before: Any) -> dict[str, Any]:
    """One document's answer: what it would change, or which fields are wrong and where."""
    status = row["status"] if isinstance(row["status"], dict) else {}
    causes = (status.get("details") or {}).get("causes") or []
    rows = [
        {
            "field": cause.get("field", ""), "message": cause.get("message", ""), "reason": cause.get("reason", ""),
            "line": yaml_places.line_of(text, row["index"], cause.get("field", "")) if cause.get("field") else 0,
        }
        for cause in causes
    ]  # fmt: skip
    conflicts = [one for one in rows if one["reason"] == "FieldManagerConflict"]
    after = row["object"] if isinstance(row["object"], dict) and row["object"].get("kind") != "Status" else None
    out = {
        **row,
        "ok": not row["problem"] and row["code"] < 300,
        "message": status.get("message", ""),
        "reason": status.get("reason", ""),
    }
    out |= {
        "conflicts": conflicts,
        "causes": [one for one in rows if one not in conflicts],
        "diff": None,
        "created": False,
    }
    out["trace"] = trace(cluster, row["request"])
    if row["resource"] and row["name"]:
        out["href"] = href(cluster, row["resource"], row["namespace"], row["name"])
    if after is not None:
        out["revision"] = (after.get("metadata") or {}).get("resourceVersion", "")
        out["created"] = before is None
        if dry:
            sides = [_quiet(object_view.masked(one)) if one else None for one in (before, after)]
            out["diff"] = object_view.difference(*sides)
    return out


def _quiet(doc: dict[str, Any]) -> dict[str, Any]:
    """Without what changes with every write."""
    meta = {key: value for key, value in doc["metadata"].items() if key not in ("managedFields", "resourceVersion")}
    return {**doc, "metadata": meta}
