"""Notes and traces as JSON: the one place where nanoseconds become microseconds and Structs become camelCase.

Names here are the control API's (``/api/clusters/{c}/requests``) and the browser's.
"""

from typing import Any

from cluster.wire import etcd, http, raft


def label(message: Any) -> str:
    """What to write on a message in flight, in its protocol's own words."""
    match message:
        case http.HttpRequest():
            return f"{message.method} {message.path}"
        case http.HttpResponse():
            return f"{message.code}"
        case http.HttpChunk():
            return str(message.doc.get("type", "data")) if isinstance(message.doc, dict) else "data"
        case raft.RaftMessage():
            return f"{message.type} {len(message.entries)}" if message.entries else message.type
        case etcd.RangeRequest():
            return "Range " + message.key.decode("utf-8", "replace")
        case etcd.PutRequest():
            return "Put " + message.key.decode("utf-8", "replace")
        case etcd.TxnRequest():
            return "Txn " + (message.compare[0].key.decode("utf-8", "replace") if message.compare else "")
        case etcd.WatchResponse():
            return f"watch {len(message.events)}" if message.events else "watch"
        case _:
            return type(message).__name__


def flight_frame(flight: tuple[int, int, str, str, Any, int, str], hosts: Any) -> dict[str, Any]:
    """A message on its way (or dropped, and why)."""
    sent, arrival, src, dst, message, cause, why = flight
    kind = type(message).__name__
    frame = {
        "t": "flight",
        "src": src,
        "dst": dst,
        "srcHost": hosts.get(src, "outside"),
        "dstHost": hosts.get(dst, "outside"),
        "kind": message.type if kind == "RaftMessage" else kind,
        "label": label(message)[:80],
        "sentMicros": sent // 1000,
        "arriveMicros": arrival // 1000,
        "cause": cause,
    }
    if kind == "RaftMessage" and message.reject:
        frame["reject"] = True
    if why:
        frame["dropped"] = why
    return frame


def outcome_of(code: int) -> str:
    """The verdict a code stands for: shape and colour on every page."""
    if code == 429:
        return "throttle"
    if code in (401, 403):
        return "deny"
    return "allow" if 0 < code < 400 else "error"


def request_frame(trace: Any) -> dict[str, Any]:
    """One row of the requests list."""
    began, ended = trace.began, trace.ended
    code = ended.code if ended is not None else 0
    return {
        "t": "request",
        "id": began.request,
        "method": began.method,
        "path": began.path + ("?" + began.query if began.query else ""),
        "verb": began.verb,
        "group": began.group,
        "resource": began.resource + ("/" + began.subresource if began.subresource else ""),
        "namespace": began.namespace,
        "name": began.name,
        "user": ended.user if ended is not None else "",
        "groups": list(ended.groups) if ended is not None else [],
        "userAgent": began.user_agent,
        "client": began.client,
        "server": began.server,
        "code": code,
        "outcome": outcome_of(code) if ended is not None else "wait",
        "stream": bool(ended is not None and ended.stream),
        "startMicros": trace.start // 1000,
        "endMicros": trace.end // 1000 if ended is not None else None,
        "size": size_of(ended),
        "parts": parts(trace),
        "initiator": began.parent or None,
        "outside": trace.outside,
    }


def because(parent: Any) -> str:
    """``create deployments/web``: the request that caused another one, in three words; empty when there is none (any more)."""
    if parent is None:
        return ""
    began = parent.began
    if not began.resource:
        return f"{began.verb} {began.path}"
    name = f"/{began.name}" if began.name else ""
    sub = f"/{began.subresource}" if began.subresource else ""
    return f"{began.verb} {began.resource}{name}{sub}"


PARTS = {
    "tls": "authn", "authentication": "authn", "audit": "authn", "impersonation": "authn", "priority-and-fairness": "authn",
    "authorization": "authz", "decoding": "admission", "defaulting": "admission", "strategy": "admission",
    "validation": "admission", "etcd": "etcd", "response": "response", "panic": "response",
}  # fmt: skip
"""Stage → the part of the waterfall's bar it belongs to; admission plug-ins are ``admission``, what happens inside etcd is not told."""


def parts(trace: Any) -> list[list[Any]]:
    """The bar of a request: ``[part, from, to]`` in micros after its start, neighbours of one part as one."""
    out: list[list[Any]] = []
    began = trace.start
    now, ends = "", 0
    for stage in trace.stages:
        part = _PART_OF.get(stage.name)
        if part is None:
            part = _part(stage.name)
        if not part:
            continue
        if part == now:
            ends = max(ends, stage.end)
            continue
        if now:
            out[-1][2] = (ends - began) / 1000
        out.append([part, (stage.start - began) / 1000, 0.0])
        now, ends = part, stage.end
    if now:
        out[-1][2] = (ends - began) / 1000
    return out


def _part(stage: str) -> str:
    if len(_PART_OF) > 1024:  # watchers' names are in stages, too
        _PART_OF.clear()
    part = _PART_OF[stage] = PARTS.get(stage) or ("admission" if "admission/" in stage else "")
    return part


_PART_OF: dict[str, str] = {}
"""Stages that were looked at."""


def size_of(ended: Any) -> int | None:
    """Bytes of the answer's body as it went over the wire; None where none did (clients inside get the document itself)."""
    for name, value in ended.headers if ended is not None else ():
        if name == "content-length":
            return int(value)
    return None


def stage_row(stage: Any) -> dict[str, Any]:
    """One stage of a trace."""
    return {
        "name": stage.name,
        "component": stage.component,
        "startMicros": stage.start / 1000,
        "endMicros": stage.end / 1000,
        "outcome": stage.outcome,
        "reason": stage.reason,
        "detail": stage.detail,
        "before": plain(stage.before),
        "after": plain(stage.after),
        "patch": diff(stage.before, stage.after) if stage.before is not None else [],
        "source": stage.source,
    }


def plain(value: Any) -> Any:
    """Bytes become text; everything else is JSON-able already."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def diff(before: Any, after: Any, path: str = "") -> list[dict[str, Any]]:
    """What changed from ``before`` to ``after`` as JSON Patch operations with the old value beside (``was``)."""
    if before is after or before == after or after is None:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        out: list[dict[str, Any]] = []
        for key in after:
            pointer = f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"
            if key not in before:
                out.append({"op": "add", "path": pointer, "value": after[key]})
            elif before[key] != after[key]:
                out.extend(diff(before[key], after[key], pointer))
        out.extend(
            {"op": "remove", "path": f"{path}/{str(k).replace('~', '~0').replace('/', '~1')}", "was": before[k]}
            for k in before
            if k not in after
        )
        return out
    if isinstance(before, list) and isinstance(after, list) and len(before) <= len(after):
        out = []
        for index, value in enumerate(after):
            if index >= len(before):
                out.append({"op": "add", "path": f"{path}/{index}", "value": value})
            elif before[index] != value:
                out.extend(diff(before[index], value, f"{path}/{index}"))
        return out
    if before is None:
        return [{"op": "add", "path": path, "value": after}]
    return [{"op": "replace", "path": path, "value": after, "was": before}]
