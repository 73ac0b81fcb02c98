"""Requests as the control API tells them: a list with its filters and counts, and one trace with its causal tree.

The list looks at every trace the recorder keeps (about two thousand) and makes rows of those that are shown, so it stays
cheap however long the cluster has run. A trace shows what had happened at the scene's instant: a stage that is noted
already but not over yet is ``wait``.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from cluster.snapshot.packets import first_packet
from cluster.snapshot.scene import Scene
from cluster.trace.codec import because, outcome_of, plain, request_frame, size_of, stage_row
from cluster.trace.recorder import Memory, Trace

REASONS = {200: "OK", 201: "Created", 101: "Switching Protocols", 202: "Accepted"}
DEPTH = 12
"""How deep a causal tree is told; deeper ones end in a node that says so."""
FACETS = ("verb", "user", "namespace", "resource", "component")
MOST_FACETS = 60
SORTS = ("newest", "oldest", "took", "size", "code", "user", "path")


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
    rows: list[dict[str, Any]] = []
    for trace in newest(scene.memory, system):
        if trace.began.request <= since or len(rows) >= limit:
            break
        ended = trace.ended
        if (
            (verb and trace.began.verb != verb)
            or (code and (ended.code if ended is not None else 0) != code)
            or (user and (ended.user if ended is not None else "") != user)
        ):
            continue
        rows.append(request_frame(trace))
    return rows


def request_list(
    scene: Scene,
    limit: int = 100,
    offset: int = 0,
    before: int = 0,
    since: int = 0,
    sort: str = "newest",
    verb: str = "",
    code: str = "",
    user: str = "",
    namespace: str = "",
    resource: str = "",
    component: str = "",
    initiator: str = "",
    text: str = "",
    errors: bool = False,
    system: bool = False,
) -> dict[str, Any]:
    """A page of the list: ``{rows, matched, kept, more, facets, nowMicros}``.

    ``code`` is a code or a class (``4xx``, ``wait`` for no answer yet); ``initiator`` is ``outside`` (nobody in the cluster
    asked for it), ``caused``, or the number of a request; ``text`` is looked for in address, user, client, and what the stages
    said. ``before``/``since``: only requests with a lower/higher number. ``matched`` counts all that match, ``kept`` all there are.
    """
    wanted = {"verb": verb, "user": user, "namespace": namespace, "resource": resource, "component": component}
    wanted = {name: value for name, value in wanted.items() if value}
    needle = text.lower()
    facets: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    matched: list[Trace] = []
    kept = 0
    for trace in newest(scene.memory, system):
        kept += 1
        facts = _facts(trace)
        for name, value in facts.items():
            if value:
                facets[name][value] = facets[name].get(value, 0) + 1
        if any(facts[name] != value for name, value in wanted.items()):
            continue
        if (code or errors) and not _code_is(trace, code, errors):
            continue
        if initiator and not _caused_by(trace, initiator):
            continue
        if needle and not _says(trace, needle):
            continue
        matched.append(trace)
    shown = _sorted(matched, sort)
    if before or since:
        shown = [t for t in shown if since < t.began.request and (not before or t.began.request < before)]
    rows = [list_row(scene.memory, trace) for trace in shown[offset : offset + limit]]
    return {
        "rows": rows,
        "matched": len(matched),
        "kept": kept,
        "more": max(len(shown) - offset - limit, 0),
        "facets": {name: _top(counts) for name, counts in facets.items()},
        "nowMicros": scene.world.state.now // 1000,
    }


def newest(memory: Memory, system: bool) -> Iterator[Trace]:
    """Traces, the highest number first (a number is given when a request is sent, so the rings are sorted but for a few)."""
    numbers = [*memory.caused, *memory.system] if system else [*memory.caused]
    return (memory.traces[number] for number in sorted(numbers, reverse=True))


def list_row(memory: Memory, trace: Trace) -> dict[str, Any]:
    """A row of the list: the feed's, with who caused it in words and the size of an answer that stayed inside."""
    row = request_frame(trace)
    row["component"] = component(trace)
    row["because"] = because(memory.traces.get(trace.began.parent))
    if row["size"] is None and trace.ended is not None and trace.ended.body is not None:
        row["size"] = len(trace.ended.body if isinstance(trace.ended.body, bytes) else orjson.dumps(trace.ended.body))
    return row


def component(trace: Trace) -> str:
    """The program that asked: ``kubectl``, ``kubelet``, ``curl``."""
    return trace.began.user_agent.partition("/")[0] or trace.began.client.removeprefix("outside:").partition(":")[0]


def _facts(trace: Trace) -> dict[str, str]:
    began, ended = trace.began, trace.ended
    return {
        "verb": began.verb,
        "user": ended.user if ended is not None else "",
        "namespace": began.namespace,
        "resource": began.resource,
        "component": component(trace),
    }


def _code_is(trace: Trace, code: str, errors: bool) -> bool:
    have = trace.ended.code if trace.ended is not None else 0
    if errors and have < 400:
        return False
    if not code or code == str(have):
        return True
    if code == "wait":
        return have == 0
    return len(code) == 3 and code[1:] == "xx" and str(have)[:1] == code[0]


def _caused_by(trace: Trace, initiator: str) -> bool:
    parent = trace.began.parent
    if initiator == "outside":
        return parent == 0
    return parent != 0 if initiator == "caused" else str(parent) == initiator


def _says(trace: Trace, needle: str) -> bool:
    began, ended = trace.began, trace.ended
    if (
        needle
        in f"{began.method} {began.path}?{began.query} {began.user_agent} {began.client} #{began.request}".lower()
    ):
        return True
    if ended is not None and needle in f"{ended.code} {ended.user} {' '.join(ended.groups)}".lower():
        return True
    return any(needle in stage.reason.lower() for stage in trace.stages) or any(
        needle in effect.text.lower() for _, _, effect in trace.effects
    )


def _sorted(traces: list[Trace], sort: str) -> list[Trace]:
    """``traces`` come newest first, and stay so among equals."""
    match sort:
        case "oldest":
            return traces[::-1]
        case "took":
            return sorted(traces, key=lambda t: -(t.end - t.start) if t.ended is not None and not t.ended.stream else 1)
        case "size":
            return sorted(traces, key=lambda t: -(size_of(t.ended) or 0))
        case "code":
            return sorted(traces, key=lambda t: -(t.ended.code if t.ended is not None else 0))
        case "user":
            return sorted(traces, key=lambda t: t.ended.user if t.ended is not None else "")
        case "path":
            return sorted(traces, key=lambda t: t.began.path)
        case _:
            return traces


def _top(counts: dict[str, int]) -> list[list[Any]]:
    most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_FACETS]
    return [[name, count] for name, count in sorted(most)]


# -- one ----------------------------------------------------------------------------------------------------------


def request(scene: Scene, id: int) -> dict[str, Any]:
    """One trace: the row, its stages, the raw HTTP of both directions, and what it caused. KeyError if forgotten."""
    trace = scene.memory.traces[id]
    now = scene.world.state.now
    told = {
        **list_row(scene.memory, trace),
        "nowMicros": now // 1000,
        "stages": stages(trace, now),
        "raw": raw(trace),
        "effects": list(trace.children),
        "tree": tree(scene, trace, DEPTH),
        "ancestors": ancestors(scene, trace),
        "packet": first_packet(scene, trace),
    }
    if trace.ended is not None and trace.end > now:  # the answer is written, and not out yet
        told |= {"code": 0, "outcome": "wait", "endMicros": None}
        told["raw"] |= {"responseHead": "", "responseBody": ""}
    return told


def stages(trace: Trace, now: int) -> list[dict[str, Any]]:
    """The stages begun by ``now``, in order; one that ends later is ``wait`` and keeps its verdict to itself."""
    out = []
    for stage in sorted(trace.stages, key=lambda s: (s.start, s.end)):
        if trace.held:
            out.append(stage_row(stage))
            continue
        if stage.start > now:
            continue
        row = stage_row(stage)
        if stage.end > now:
            row |= {
                "endMicros": now / 1000,
                "outcome": "wait",
                "reason": "",
                "detail": None,
                "after": None,
                "patch": [],
            }
        out.append(row)
    return out


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
        body = body.encode() if isinstance(body, str) else orjson.dumps(body, option=orjson.OPT_INDENT_2)
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
                "actor": actor,
                "object": effect.object,
                "text": effect.text,
                "detail": effect.detail,
                "startMicros": at // 1000,
                "children": [],
            }
        )
    for number in trace.children:
        child = scene.memory.traces.get(number)
        if child is not None:
            nodes.append(_request_node(scene, child, depth))
    return sorted(nodes, key=lambda node: node["startMicros"])


def _request_node(scene: Scene, child: Trace, depth: int) -> dict[str, Any]:
    row = request_frame(child)
    return {
        "kind": "request",
        "id": row["id"],
        "component": component(child),
        "actor": child.began.client,
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


def ancestors(scene: Scene, trace: Trace) -> list[dict[str, Any]]:
    """From the request that began it all down to this one's parent."""
    chain = []
    number = trace.began.parent
    while number and number in scene.memory.traces and len(chain) < 50:
        parent = scene.memory.traces[number]
        chain.append(request_frame(parent))
        number = parent.began.parent
    return chain[::-1]


def nearest(scene: Scene, id: int, limit: int = 12) -> dict[str, Any]:
    """With what to compare a request: those of the same verb and resource, another outcome and the nearest in time first.

    ``{rows, suggested}``: the number of the nearest one that ended otherwise, or 0. KeyError if forgotten.
    """
    mine = scene.memory.traces[id]
    began, verdict = mine.began, _verdict(mine)
    alike = [
        trace
        for trace in newest(scene.memory, True)
        if trace.began.verb == began.verb
        and (trace.began.resource, trace.began.subresource) == (began.resource, began.subresource)
        and trace.began.request != id
        and (began.resource or trace.began.path == began.path)
    ]
    alike.sort(key=lambda t: (_verdict(t) == verdict, not t.outside, abs(t.start - mine.start)))
    other = next((t.began.request for t in alike[:1] if _verdict(t) != verdict), 0)
    return {"rows": [list_row(scene.memory, trace) for trace in alike[:limit]], "suggested": other}


def _verdict(trace: Trace) -> str:
    return outcome_of(trace.ended.code) if trace.ended is not None else "wait"


def recent(scene: Scene) -> list[dict[str, Any]]:
    """The newest frames, for a page that opens now."""
    return scene.memory.recent


def terms(scene: Scene) -> list[dict[str, Any]]:
    """Which member led from when, for the tape."""
    return [{"fromMicros": at // 1000, "term": term, "leader": who} for at, term, who in scene.memory.terms]
