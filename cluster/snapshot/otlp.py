"""A trace as OpenTelemetry: an ``ExportTraceServiceRequest`` in the JSON that OTLP/HTTP prescribes, as Jaeger and others open it.

In → a request's number; out → spans of that request, of its stages, of everything it caused, and of their stages, each under the
resource (component) that did the work. Ids are lower-case hex, instants are Unix nanoseconds as decimal text, enumerations are
numbers, 64-bit attributes are text: so the specification's "JSON Protobuf Encoding".

Attributes are OpenTelemetry's semantic conventions where there are any (``http.request.method``, ``url.path``, ``k8s.pod.name`` …),
else ``clearplane.…``. As they ask of a server, a 4xx leaves the request's span unset and a 5xx makes it an error; the *stage* that
refused is an error either way, with its reason.

Simplified here: something a component did is an instant, so its span has no length; a span not over at the scene's instant ends there.

Spec: opentelemetry.io/docs/specs/otlp (1.5), semantic conventions 1.28.
"""

from hashlib import blake2b
from typing import Any

from cluster.snapshot.scene import Scene
from cluster.trace.codec import PARTS
from cluster.trace.notes import Stage
from cluster.trace.recorder import Trace

INTERNAL, SERVER = 1, 2
UNSET, ERROR = 0, 2
DEPTH = 12
MOST_SPANS = 5000
SINGULAR = {"pods": "pod", "deployments": "deployment", "replicasets": "replicaset", "statefulsets": "statefulset",
            "daemonsets": "daemonset", "jobs": "job", "cronjobs": "cronjob", "nodes": "node"}  # fmt: skip
"""Resources whose name has an attribute of its own in the conventions."""


def otlp(scene: Scene, id: int) -> dict[str, Any]:
    """The trace and everything it caused. KeyError if forgotten."""
    export = _Export(scene, id)
    export.request(scene.memory.traces[id], "", DEPTH)
    return {"resourceSpans": [export.resource(name, spans) for name, spans in export.spans.items()]}


def span_id(name: str, size: int = 8) -> str:
    """An id as hex: the same for the same thing in every export."""
    return blake2b(name.encode(), digest_size=size).hexdigest()


def attributes(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """``KeyValue`` s; what is empty is left out."""
    return [{"key": key, "value": _value(value)} for key, value in facts.items() if value not in (None, "", (), [])]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list() | tuple():
            return {"arrayValue": {"values": [_value(item) for item in value]}}
        case _:
            return {"stringValue": str(value)}


class _Export:
    """Collects spans by component."""

    def __init__(self, scene: Scene, id: int) -> None:
        self.scene = scene
        self.now = scene.world.state.now
        self.epoch = scene.spec.epoch * 1_000_000_000
        self.trace_id = span_id(f"{scene.spec.seed}/trace/{id}", 16)
        self.spans: dict[str, list[dict[str, Any]]] = {}
        self.count = 0

    def resource(self, name: str, spans: list[dict[str, Any]]) -> dict[str, Any]:
        """``ResourceSpans`` of one process: the service is the program, the instance the process on its host."""
        slot = self.scene.world.state.slots.get(name)
        host = slot.host if slot is not None else ""
        facts = {
            "service.name": slot.kind if slot is not None else name,
            "service.instance.id": name,
            "service.namespace": "kubernetes",
            "k8s.cluster.name": self.scene.spec.name,
            "k8s.node.name": host,
        }
        return {
            "resource": {"attributes": attributes(facts)},
            "scopeSpans": [{"scope": {"name": "clearplane"}, "spans": spans}],
        }

    def add(
        self, component: str, key: str, parent: str, name: str, start: int, end: int, facts: dict[str, Any],
        kind: int = INTERNAL, wrong: str | None = None,
    ) -> None:  # fmt: skip
        """One span. ``wrong``: why it is an error; None: it is not."""
        if self.count >= MOST_SPANS:
            return
        self.count += 1
        span: dict[str, Any] = {
            "traceId": self.trace_id,
            "spanId": key,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(self.epoch + start),
            "endTimeUnixNano": str(self.epoch + max(end, start)),
            "attributes": attributes(facts),
            "status": {"code": UNSET} if wrong is None else {"code": ERROR, "message": wrong},
        }
        if parent:
            span["parentSpanId"] = parent
        self.spans.setdefault(component, []).append(span)

    def request(self, trace: Trace, parent: str, depth: int) -> None:
        """The request's own span, its stages', its effects', and those of the requests it caused."""
        began, ended = trace.began, trace.ended
        number, own = began.request, span_id(f"request/{began.request}")
        code = ended.code if ended is not None and trace.end <= self.now else 0
        facts: dict[str, Any] = {
            "http.request.method": began.method,
            "url.path": began.path,
            "url.query": began.query,
            "url.scheme": "https",
            "http.response.status_code": code or None,
            "user_agent.original": began.user_agent,
            "client.address": began.client,
            "user.name": ended.user if ended is not None else "",
            "user.roles": list(ended.groups) if ended is not None else [],
            "k8s.namespace.name": began.namespace,
            "clearplane.verb": began.verb,
            "clearplane.resource": f"{began.resource}.{began.group}" if began.group else began.resource,
            "clearplane.request": number,
        }
        if began.resource in SINGULAR and began.name:
            facts[f"k8s.{SINGULAR[began.resource]}.name"] = began.name
        if code >= 500:
            facts["error.type"] = str(code)
        end = min(trace.end, self.now) if ended is not None else self.now
        what = f"{began.method} {began.resource or began.path}" + (f"/{began.subresource}" if began.subresource else "")
        self.add(
            began.server, own, parent, what, trace.start, end, facts, SERVER, f"HTTP {code}" if code >= 500 else None
        )
        self._stages(trace, own)
        for index, (at, actor, effect) in enumerate(trace.effects):
            said = {"clearplane.object": effect.object, "clearplane.reason": effect.text}
            self.add(actor, span_id(f"effect/{number}/{index}"), own, effect.kind, at, at, said)
        for child in trace.children if depth else ():
            caused = self.scene.memory.traces.get(child)
            if caused is not None:
                self.request(caused, own, depth - 1)

    def _stages(self, trace: Trace, own: str) -> None:
        number = trace.began.request
        etcd: list[tuple[Stage, str]] = []
        told = [(i, s) for i, s in enumerate(trace.stages) if s.start <= self.now]
        for index, stage in sorted(told, key=lambda pair: pair[1].name != "etcd"):
            key = span_id(f"stage/{number}/{index}")
            parent = own
            if stage.name == "etcd":
                etcd.append((stage, key))
            elif (stage.name not in PARTS and "/" not in stage.name) or stage.name.startswith("append/"):
                # What the members did for this question: inside the etcd stage that was waiting then.
                parent = next((k for s, k in etcd if s.start <= stage.start <= s.end), own)
            over = stage.end <= self.now
            facts = {
                "clearplane.outcome": stage.outcome if over else "wait",
                "clearplane.reason": stage.reason if over else "",
                "code.namespace": stage.source.partition(":")[0],
                "code.lineno": int(line) if (line := stage.source.partition(":")[2]).isdigit() else None,
            }
            wrong = stage.reason if over and stage.outcome in ("deny", "error") else None
            self.add(
                stage.component, key, parent, stage.name, stage.start, min(stage.end, self.now), facts, wrong=wrong
            )
