"""Who changed a Service's rules, and when each node followed: from the request that began it to the last kube-proxy's sync.

In: a scene, and a Service's key → out: the changes that the recorder still remembers, newest first. One change is one request (mostly the EndpointSlice
controller's) because of which at least one kube-proxy wrote or removed rules; ``chain`` are the requests that led to it, oldest first.

An endpoint that went is addressed by a node until that node has synced: ``gone`` names it and ``nodes`` say how long. All times in virtual micros.
"""

import re
from typing import Any

from cluster.snapshot.scene import Scene
from cluster.trace.codec import request_frame
from cluster.trace.notes import Effect
from cluster.trace.recorder import Trace

MAX_CHANGES = 40
LOOKED_AT = 4000
"""Requests looked at, newest first."""
DEPTH = 8
MAX_LINES = 60
ENDPOINT = re.compile(r"(?:--to-destination|dnat to|-r) (\[?[0-9a-f.:]+\]?:\d+)")


def changes(scene: Scene, service: str) -> list[dict[str, Any]]:
    """``[{request, at, resource, verb, user, chain, nodes: [{node, at, added, removed, lines}], came, gone, beganMicros}]``."""
    out: list[dict[str, Any]] = []
    for looked, number in enumerate(reversed(scene.memory.traces)):
        if looked >= LOOKED_AT or len(out) >= MAX_CHANGES:
            break
        trace = scene.memory.traces[number]
        found = [(at, effect) for at, _, effect in trace.effects if effect.kind == "rules" and _about(effect, service)]
        if found:
            out.append(_change(scene, trace, found))
    return out


def _about(effect: Effect, service: str) -> bool:
    return str(effect.detail.get("service", "")).partition(":")[0] == service


def _change(scene: Scene, trace: Trace, found: list[tuple[int, Effect]]) -> dict[str, Any]:
    chain = _chain(scene, trace)
    nodes = [
        {
            "node": effect.object,
            "at": at // 1000,
            "added": len(effect.detail["added"]),
            "removed": len(effect.detail["removed"]),
            "came": effect.detail["added"][:MAX_LINES],
            "went": effect.detail["removed"][:MAX_LINES],
        }
        for at, effect in found
    ]
    came = _endpoints(found, "added")
    gone = _endpoints(found, "removed")
    return {
        **_told(trace),
        "chain": [_told(one) for one in chain],
        "beganMicros": min(one.start for one in [*chain, trace]) // 1000,
        "nodes": sorted(nodes, key=lambda row: (row["at"], row["node"])),
        "came": sorted(came - gone),
        "gone": sorted(gone - came),
    }


def _told(trace: Trace) -> dict[str, Any]:
    row = request_frame(trace)
    known = ("id", "verb", "resource", "namespace", "name", "subresource", "user", "code", "path")
    return {
        **{key: row.get(key, "") for key in known},
        "at": trace.start // 1000,
        "endAt": (trace.end or trace.start) // 1000,
    }


def _chain(scene: Scene, trace: Trace) -> list[Trace]:
    """The requests that led to this one, oldest first; reads, which only look, are left out."""
    chain: list[Trace] = []
    number = trace.began.parent
    while number and len(chain) < DEPTH:
        parent = scene.memory.traces.get(number)
        if parent is None:
            break
        if parent.began.verb not in ("get", "list", "watch"):
            chain.append(parent)
        number = parent.began.parent
    return chain[::-1]


def _endpoints(found: list[tuple[int, Effect]], side: str) -> set[str]:
    return {match[1] for _, effect in found for line in effect.detail[side] for match in ENDPOINT.finditer(line)}
