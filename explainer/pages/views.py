"""Views: one a page. Each reads its read models, draws, and answers a whole document, or to htmx one fragment of it.

Errors: `Missing` becomes a drawn 404, `Unreachable` a page that says so and keeps its frame.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from explainer.fragments import map_drawing, particles, ring_drawing, rules_view, sentences, trace_view, words

from . import context
from .reads import Missing, Unreachable, read

DEMO = "demo"
PAGE_SIZE = 100
YEAR_SECONDS = 365 * 24 * 3600
View = Callable[..., Awaitable[HttpResponse]]


def asked_for(request: HttpRequest, name: str) -> str:
    """Return a query parameter, or an empty text."""
    value = request.GET.get(name)
    return value.strip() if isinstance(value, str) else ""


def sent(request: HttpRequest, name: str) -> str:
    """Return a form field, or an empty text."""
    value = request.POST.get(name)
    return value.strip() if isinstance(value, str) else ""


def drawn_errors(view: View) -> View:
    """Turn a missing thing into a page that says what is missing."""

    @wraps(view)
    async def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return await view(request, *args, **kwargs)
        except Missing as error:
            frame = context.base(request, "missing")
            data = {"frame": frame, "cluster": kwargs.get("cluster", ""), "said": str(error)}
            return render(request, "missing.html", data, status=404)

    return inner


async def home(request: HttpRequest) -> HttpResponse:
    """The default cluster's map."""
    return HttpResponseRedirect(f"/clusters/{DEMO}/")


@require_POST
def prefs(request: HttpRequest) -> HttpResponse:
    """Remember the language or the sheet, then go back."""
    target = sent(request, "next") or "/"
    if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
        target = "/"
    if sent(request, "theme"):
        target = target.replace("?screen&", "?").removesuffix("?screen")
    response = HttpResponseRedirect(target)
    language, theme = sent(request, "language"), sent(request, "theme")
    if language and translation.check_for_language(language):
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=YEAR_SECONDS, samesite="Lax")
    if theme in context.THEMES:
        response.set_cookie("theme", theme, max_age=YEAR_SECONDS, samesite="Lax")
    return response


async def _try(cluster: str, view: str, otherwise: Any, **args: Any) -> Any:
    """Read a model that a page can do without."""
    try:
        return await read(cluster, view, **args)
    except (Unreachable, Missing):
        return otherwise


@drawn_errors
async def map_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """The cluster on one screen."""
    frame = await context.frame(request, cluster, "map")
    model = frame["model"]
    data: dict[str, Any] = {"frame": frame, "model": model}
    if model:
        data["drawing"] = map_drawing.draw(model, frame["screen"])
        data["selected"] = find(model, asked_for(request, "select"))
        data["counts"] = summary(model)
    if asked_for(request, "part") == "summary":
        return render(request, "map/summary.html", data)
    data["events"] = _sentences(await _try(cluster, "requests", [], limit=8)) if model else []
    if frame["problem"]:
        data["caption"] = _("This is the last known state.")
    elif data["events"]:
        data["caption"] = data["events"][0]["sentence"]
    else:
        data["caption"] = _("The cluster is up. Type a command below, or use your own kubectl.")
    inspector = request.META.get("HTTP_HX_REQUEST") and request.META.get("HTTP_HX_TARGET") == "inspector"
    return render(request, "map/inspector.html" if inspector else "map/page.html", data)


def _sentences(rows: Any) -> list[dict[str, Any]]:
    rows = rows["requests"] if isinstance(rows, dict) else rows
    return [{**row, "sentence": trace_view.sentence(row)} for row in rows]


def summary(model: dict[str, Any]) -> dict[str, Any]:
    """Count what the cluster has, for the inspector."""
    pods = model.get("pods", [])
    return {
        "nodes": len(model.get("nodes", [])),
        "nodes_ready": sum(1 for node in model.get("nodes", []) if node["ready"]),
        "pods": len(pods),
        "pods_ready": sum(1 for pod in pods if pod["phase"] in ("Ready", "Succeeded")),
    }


def find(model: dict[str, Any], select: str) -> dict[str, Any] | None:
    """Return the drawn thing that ``kind:name`` names, with what is known of it."""
    kind, colon, name = select.partition(":")
    if not colon:
        return None
    if kind == "pod":
        for pod in model.get("pods", ()):
            if f"{pod['namespace']}/{pod['name']}" == name:
                return {"kind": "pod", **pod}
    if kind == "node" or kind == "host":
        for host in model["hosts"]:
            if host["name"] == name:
                node = next((n for n in model.get("nodes", ()) if n["name"] == name), {})
                pods = [pod for pod in model.get("pods", ()) if pod.get("node") == name]
                return {"kind": "host", "node": node, "pods": pods, **{k: v for k, v in host.items() if k != "kind"}}
    if kind == "process":
        for host in model["hosts"]:
            for process in host["processes"]:
                if process["name"] == name:
                    return {**process, "kind": "process", "process_kind": process["kind"], "host": host["name"]}
    if kind == "client":
        return {"kind": "client", "name": name}
    return None


@drawn_errors
async def requests_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """The waterfall list of requests, newest first."""
    frame = await context.frame(request, cluster, "requests")
    asked = {key: asked_for(request, key) for key in ("verb", "code", "user")}
    system = asked_for(request, "system") == "1"
    args: dict[str, Any] = {"limit": PAGE_SIZE, "system": system}
    args |= {key: asked[key] for key in ("verb", "user") if asked[key]}
    if asked["code"].isdigit():
        args["code"] = int(asked["code"])
    rows, problem = [], frame["problem"]
    try:
        rows = await read(cluster, "requests", **args)
    except Unreachable:
        problem = problem or _("The simulation does not answer.")
    rows = rows["requests"] if isinstance(rows, dict) else rows
    longest = (
        max(
            (
                (row.get("endMicros") or row["startMicros"]) - row["startMicros"]
                for row in rows
                if not row.get("stream")
            ),
            default=1,
        )
        or 1
    )
    for row in rows:
        took = None if row.get("endMicros") is None else row["endMicros"] - row["startMicros"]
        row |= {
            "took": took,
            "who": trace_view.who(row),
            "what": trace_view.what(row),
            "w": f"{max(100 * min((took or 0) / longest, 1), 1):.1f}%",
        }
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
    data = {
        "frame": frame,
        "rows": rows,
        "asked": asked,
        "system": system,
        "verbs": verbs,
        "problem": problem,
        "filtered": any(asked.values()),
    }
    template = (
        "requests/rows.html"
        if request.META.get("HTTP_HX_REQUEST") and not request.META.get("HTTP_HX_BOOSTED")
        else "requests/page.html"
    )
    return render(request, template, data)


@drawn_errors
async def request_page(request: HttpRequest, cluster: str, request_id: int) -> HttpResponse:
    """One request, stage by stage."""
    frame = await context.frame(request, cluster, "requests")
    trace = await _try(cluster, "request", None, id=request_id)
    if trace is None:
        data = {"frame": frame, "request_id": request_id}
        return render(request, "requests/forgotten.html", data, status=404 if not frame["problem"] else 503)
    steps = trace_view.steps(trace)
    causes, count = trace_view.tree(trace)
    if asked_for(request, "part") == "causes":
        return render(request, "requests/causes.html", {"frame": frame, "causes": causes, "causes_count": count})
    asked = asked_for(request, "step")
    at = min(max(int(asked), 1), max(len(steps), 1)) if asked.isdigit() else 0
    decided = trace_view.decided(trace)
    if not at:
        at = next((step["number"] for step in steps if decided is not None and step["name"] == decided["name"]), 1)
    raw = trace.get("raw") or trace
    data = {
        "frame": frame,
        "trace": trace,
        "steps": steps,
        "at": at,
        "step": steps[at - 1] if steps else None,
        "causes": causes,
        "causes_count": count,
        "decided": decided,
        "sentence": trace_view.sentence(trace),
        "raw": raw,
        "path": str(trace.get("path", "")).partition("?")[0],
        "query": str(trace.get("path", "")).partition("?")[2],
        "what": trace_view.what(trace),
        "took": None if trace.get("endMicros") is None else trace["endMicros"] - trace["startMicros"],
        "previous": at - 1 if at > 1 else None,
        "next": at + 1 if at < len(steps) else None,
        "last": len(steps),
    }
    return render(request, "requests/trace.html", data)


@drawn_errors
async def etcd_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """Members, roles, logs, quorum."""
    frame = await context.frame(request, cluster, "etcd")
    rows = await _try(cluster, "members", [], log="full", since=0)
    rows = rows["members"] if isinstance(rows, dict) else rows
    rows = [dict(row) for row in rows]
    now = frame["clock"]["nowMicros"]
    members = ring_drawing.ring(rows, now)
    leader = next((m for m in members if m["shape"] == "leader"), None)
    data = {
        "frame": frame,
        "members": members,
        "links": ring_drawing.links(members),
        "quorum": ring_drawing.quorum(members),
        "logs": ring_drawing.logs(members, 14 if frame["screen"] else ring_drawing.SHOWN),
        "leader": leader,
        "size": ring_drawing.SIZE,
        "cell": ring_drawing.CELL,
        "term": max((m.get("term") or 0 for m in members), default=0),
        "roles": [(name, words.role(name)) for name in words.ROLES],
    }
    if leader:
        told = _("%(member)s leads in term %(term)s.") % {"member": leader["id"], "term": leader["term"]}
        data["caption"] = particles.settle(told)
    elif members:
        data["caption"] = _("Nobody leads. Writes wait.")
    if asked_for(request, "part") == "logs":
        return render(request, "etcd/live.html", data)
    return render(request, "etcd/page.html", data)


@drawn_errors
async def network_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """One Service in a node's rules, and a packet through them."""
    frame = await context.frame(request, cluster, "network")
    model = frame["model"] or {}
    services, nodes = model.get("services", []), model.get("nodes", [])
    node = asked_for(request, "node") or next(
        (n["name"] for n in nodes if not n["name"].startswith("cp-")), nodes[0]["name"] if nodes else ""
    )
    picked = asked_for(request, "service")
    service = next(
        (s for s in services if f"{s['namespace']}/{s['name']}" == picked), services[0] if services else None
    )
    text = await _try(cluster, "rules", "", node=node) if node else ""
    text = text.get("text", "") if isinstance(text, dict) else text
    rows = rules_view.lines(text)
    concerned = rules_view.about(rows, service)
    for row in rows:
        row["concerned"] = row["number"] in concerned
    pods = [p for p in model.get("pods", []) if p.get("ip") and p["namespace"] != "kube-system"] or [
        p for p in model.get("pods", []) if p.get("ip")
    ]
    port = ""
    if service and service.get("ports"):
        first = service["ports"][0]
        port = str(first["port"]) if isinstance(first, dict) else str(first).partition("/")[0]
    data = {
        "frame": frame,
        "services": services,
        "service": service,
        "nodes": nodes,
        "node": node,
        "rows": rows,
        "pods": pods,
        "port": port,
        "concerned": len(concerned),
        "ports": _ports(service),
    }
    return render(request, "network/page.html", data)


def _ports(service: dict[str, Any] | None) -> str:
    ports = (service or {}).get("ports") or []
    return ", ".join(f"{p['port']}/{p.get('protocol', 'TCP')}" if isinstance(p, dict) else str(p) for p in ports)


async def sentences_table(request: HttpRequest) -> HttpResponse:
    """The world's sentences in the reader's language, for scripts that meet them in the feed."""
    response = JsonResponse(sentences.table(), safe=False, json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = "private, max-age=300"
    response["Vary"] = "Cookie, Accept-Language"
    return response


async def style(request: HttpRequest) -> HttpResponse:
    """The living style page: every shape, line and colour with its meaning."""
    frame = context.base(request, "style")
    data = {
        "frame": frame,
        "colours": [
            ("live", _("now, links, the plane line")),
            ("allow", _("allowed, committed, ready")),
            ("deny", _("denied, failed, dropped")),
            ("change", _("mutated, translated, warning")),
            ("wait", _("pending, queued")),
            ("raft", _("consensus: votes, quorum, leader")),
            ("ink", _("text")),
            ("ink2", _("second text")),
            ("ink3", _("smallest text")),
            ("edge", _("borders of things, lines")),
            ("rule", _("table lines, decoration only")),
            ("paper", _("page")),
            ("panel", _("cards, picture")),
            ("sunk", _("code, console, tape")),
            ("past", _("ground of everything that is not now")),
            ("focus", _("the focus ring, nothing else")),
        ],
        "roles": [(name, words.role(name)) for name in words.ROLES],
        "phases": [(name, words.phase(name)) for name in words.PHASES],
        "outcomes": [(name, words.outcome(name)) for name in words.OUTCOMES] + [("audit", _("audited"))],
        "kinds": [
            ("kube-apiserver", "kube-apiserver"),
            ("etcd", "etcd"),
            ("kube-scheduler", "kube-scheduler"),
            ("kube-controller-manager", "kube-controller-manager"),
            ("kubelet", "kubelet"),
            ("kube-proxy", "kube-proxy"),
            ("balancer", _("load balancer")),
            ("client", _("client")),
            ("service", "Service"),
            ("request", _("request")),
        ],
    }
    return render(request, "style/page.html", data)
