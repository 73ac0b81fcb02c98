"""Requests and their traces as the contract tells them: a list, one trace with its causal tree, OpenTelemetry."""

from hashlib import blake2b
from typing import Any

import orjson

from cluster.snapshot.scene import Scene
from cluster.trace.codec import outcome_of, plain, request_frame, stage_row
from cluster.trace.recorder import Trace

REASONS = {200: "OK", 201: "Created", 101: "Switching Protocols", 202: "Accepted"}
DEPTH = 12
"""How deep a causal tree is told; deeper ones end in a node that says so."""


def requests(
    scene: Scene,
    limit: int = 100,
    verb: str = "",
    code: int = 0,
    user: str = "",
    system: bool = False,
    since: int = 0,
) -> list[dict[str, Any]]:
    """The newest requests first. ``system`` includes those that no client outside caused."""
    memory = scene.memory
    ids = [*memory.caused, *memory.system] if system else [*memory.caused]
    rows = []
    for number in sorted(ids, reverse=True):
        if number <= since or len(rows) >= limit:
            break
        row = request_frame(memory.traces[number])
        if (verb and row["verb"] != verb) or (code and row["code"] != code) or (user and row["user"] != user):
            continue
        rows.append(row)
    return rows


def request(scene: Scene, id: int) -> dict[str, Any]:
    """One trace: the row, its stages, the raw HTTP of both directions, and what it caused. KeyError if forgotten."""
    trace = scene.memory.traces[id]
    return {
        **request_frame(trace),
        "stages": [stage_row(stage) for stage in sorted(trace.stages, key=lambda s: (s.start, s.end))],
        "raw": raw(trace),
        "effects": list(trace.children),
        "tree": tree(scene, trace, DEPTH),
        "ancestors": ancestors(scene, trace),
    }


def raw(trace: Trace) -> dict[str, str]:
    """The HTTP messages as text. Bodies of clients inside are encoded here, for the eye."""
    began, ended = trace.began, trace.ended
    target = began.path + ("?" + began.query if began.query else "")
    head = f"{began.method} {target} HTTP/1.1\n" + "".join(f"{k}: {v}\n" for k, v in began.headers)
    out = {"requestHead": head, "requestBody": text(began.body), "responseHead": "", "responseBody": ""}
    if ended is not None:
        status = REASONS.get(ended.code, "")
        out["responseHead"] = f"HTTP/1.1 {ended.code} {status}".rstrip() + "\n"
        out["responseHead"] += "".join(f"{k}: {v}\n" for k, v in ended.headers)
        out["responseBody"] = text(ended.body)
    return out


def text(body: Any) -> str:
    """A body for the eye, cut at 64 KiB."""
    if body is None or body == b"":
        return ""
    if not isinstance(body, bytes):
        body = orjson.dumps(body, option=orjson.OPT_INDENT_2)
    shown = plain(body[:65536])
    return shown if len(body) <= 65536 else shown + f"\n… {len(body) - 65536} more bytes"


def tree(scene: Scene, trace: Trace, depth: int) -> list[dict[str, Any]]:
    """What this request caused, in order of time, and what that caused in turn."""
    nodes: list[dict[str, Any]] = []
    for at, actor, effect in trace.effects:
        nodes.append(
            {
                "kind": "effect",
                "what": effect.kind,
                "component": actor,
                "object": effect.object,
                "text": effect.text,
                "detail": effect.detail,
                "startMicros": at // 1000,
                "children": [],
            }
        )
    for number in trace.children:
        child = scene.memory.traces.get(number)
        if child is None:
            continue
        row = request_frame(child)
        nodes.append(
            {
                "kind": "request",
                "id": number,
                "component": child.began.user_agent.split("/")[0] or child.began.client,
                "text": f"{row['method']} {row['path']}",
                "verb": row["verb"],
                "resource": row["resource"],
                "namespace": row["namespace"],
                "name": row["name"],
                "user": row["user"],
                "code": row["code"],
                "outcome": row["outcome"],
                "startMicros": row["startMicros"],
                "endMicros": row["endMicros"],
                "children": tree(scene, child, depth - 1) if depth > 0 else [],
                "more": depth <= 0 and bool(child.children),
            }
        )
    return sorted(nodes, key=lambda node: node["startMicros"])


def ancestors(scene: Scene, trace: Trace) -> list[dict[str, Any]]:
    """From the request that began it all down to this one's parent."""
    chain = []
    number = trace.began.parent
    while number and number in scene.memory.traces and len(chain) < 50:
        parent = scene.memory.traces[number]
        chain.append(request_frame(parent))
        number = parent.began.parent
    return chain[::-1]


def recent(scene: Scene) -> list[dict[str, Any]]:
    """The newest frames, for a page that opens now."""
    return scene.memory.recent


def terms(scene: Scene) -> list[dict[str, Any]]:
    """Which member led from when, for the tape."""
    return [{"fromMicros": at // 1000, "term": term, "leader": who} for at, term, who in scene.memory.terms]


def otlp(scene: Scene, id: int) -> dict[str, Any]:
    """The trace and everything it caused as OpenTelemetry JSON (OTLP/HTTP ``ExportTraceServiceRequest``)."""
    spans: list[tuple[str, dict[str, Any]]] = []
    _spans(scene, id, "", span_id(f"trace/{id}", 16), spans, DEPTH)
    by_component: dict[str, list[dict[str, Any]]] = {}
    for component, span in spans:
        by_component.setdefault(component, []).append(span)
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": component}}]},
                "scopeSpans": [{"scope": {"name": "clearplane"}, "spans": rows}],
            }
            for component, rows in by_component.items()
        ]
    }


def span_id(name: str, size: int = 8) -> str:
    return blake2b(name.encode(), digest_size=size).hexdigest()


def _spans(scene: Scene, number: int, parent: str, trace_id: str, spans: list[Any], depth: int) -> None:
    trace = scene.memory.traces.get(number)
    if trace is None or depth == 0:
        return
    epoch = scene.spec.epoch * 1_000_000_000
    own = span_id(f"request/{number}")
    code = trace.ended.code if trace.ended is not None else 0

    def span(key: str, up: str, name: str, start: int, end: int, attributes: dict[str, Any], failed: bool) -> dict:
        return {
            "traceId": trace_id,
            "spanId": key,
            "parentSpanId": up,
            "name": name,
            "kind": 2,
            "startTimeUnixNano": str(epoch + start),
            "endTimeUnixNano": str(epoch + max(end, start)),
            "attributes": [{"key": k, "value": {"stringValue": str(v)}} for k, v in attributes.items()],
            "status": {"code": 2 if failed else 0},
        }

    began = trace.began
    facts = {"http.request.method": began.method, "url.path": began.path, "http.response.status_code": code}
    failed = outcome_of(code) not in ("allow",)
    spans.append(
        (began.server, span(own, parent, f"{began.method} {began.path}", trace.start, trace.end, facts, failed))
    )
    for index, stage in enumerate(trace.stages):
        spans.append(
            (
                stage.component,
                span(
                    span_id(f"stage/{number}/{index}"),
                    own,
                    stage.name,
                    stage.start,
                    stage.end,
                    {"outcome": stage.outcome, "reason": stage.reason, "code.source": stage.source},
                    stage.outcome in ("deny", "error"),
                ),
            )
        )
    for index, (at, actor, effect) in enumerate(trace.effects):
        spans.append(
            (actor, span(span_id(f"effect/{number}/{index}"), own, effect.kind, at, at, {"text": effect.text}, False))
        )
    for child in trace.children:
        _spans(scene, child, own, trace_id, spans, depth - 1)
