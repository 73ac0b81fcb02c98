"""The objects as etcd holds them: followed by revision, kept as documents, told as frames.

``Objects.follow`` reads the history of the member that has applied most, from the last revision seen on; so the model
is what a watch on all of ``/registry/`` would have built. It is derived: a restored cluster builds it again.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import orjson

from cluster.api.scheme import Scheme, builtin
from cluster.api.stored import document
from cluster.apiserver import corrupt
from cluster.sim import World
from cluster.trace.recorder import Memory

QUIET = ("leases", "events")
"""Resources whose changes are no news on a page; they are parsed when somebody looks at them."""


class Unparsed(Mapping[str, dict[str, Any]]):
    """Documents by name that are parsed when somebody looks at one; counting and naming them costs nothing."""

    def __init__(self, pairs: dict[str, Any]) -> None:
        self.pairs = pairs

    def __getitem__(self, name: str) -> dict[str, Any]:
        return parsed(self.pairs[name]) or {"metadata": {"name": name.rpartition("/")[2]}}

    def __iter__(self) -> Iterator[str]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def saying(self, text: str) -> Iterator[dict[str, Any]]:
        """Those whose value has ``text`` in it somewhere."""
        wanted = text.encode()
        return (self[name] for name, pair in self.pairs.items() if wanted in pair.value)


class Objects:
    """``by_resource``: plural (custom resources: ``plural.group``) → "namespace/name" → document.

    ``memory``: the recorder's, whose ``revisions`` are followed along.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.revision = 0
        self.cluster = 0
        """etcd's cluster id: another one is a restored cluster, whose revisions say other things."""
        self.by_resource: dict[str, dict[str, dict[str, Any]]] = {}
        self.scheme: tuple[Any, Scheme] | None = None
        """What the CustomResourceDefinitions add up to, and for which of them (see ``kinds``)."""
        self._shapes: dict[str, tuple[dict[str, Any], str]] = {}
        """Of pods: which document was looked at, and its shape."""
        self._quiet: dict[str, dict[str, Any]] = {name: {} for name in QUIET}
        """The same for ``QUIET`` resources, as etcd's pairs."""
        self._members: tuple[int, tuple[str, ...]] = (0, ())
        """How many processes there were when the members were looked for, and their names."""
        self._changes: list[tuple[str, str, str, dict[str, Any], int]] = []
        self._told = 0
        """The revision of the last frame that said one."""
        self.derived: dict[str, Any] = {}
        """What read models made of documents, to be used again while the documents are the same (``map.rows``)."""

    def follow(self, world: World) -> "Objects":
        """Catch up with etcd; returns itself."""
        member = self.freshest(world)
        if member is None:
            return self
        store, cluster = member.state.app.store, member.config.cluster_id
        restored = self.cluster not in (0, cluster)
        if store.revision == self.revision and not restored:
            return self
        self.cluster = cluster
        if self.revision == 0 or self.revision < store.compacted or store.revision < self.revision or restored:
            if restored:
                self.memory.revisions.restored(_began_with(member))
            self._reload(store)
        else:
            for events in store.since(self.revision + 1):
                for event in events:
                    self._apply(event.type, event.kv)
        self.revision = store.revision
        self.memory.revisions.follow(store, self.memory.traces)
        return self

    def versions_of(self, world: World, key: bytes) -> list[Any]:
        """Every KeyValue of ``key`` that the freshest member still has, oldest first."""
        member = self.freshest(world)
        return list(member.state.app.store.history.get(key, ())) if member is not None else []

    def get(self, resource: str) -> Mapping[str, dict[str, Any]]:
        """All documents of a resource (plural), by "namespace/name" or "name"."""
        quiet = self._quiet.get(resource)
        if quiet is not None:
            return Unparsed(quiet)
        return self.by_resource.get(resource, {})

    def shapes(self) -> dict[str, str]:
        """The shape of every pod by its name; only what changed since the last time is looked at."""
        known, self._shapes = self._shapes, {}
        for name, doc in self.by_resource.get("pods", {}).items():
            before = known.get(name)
            self._shapes[name] = before if before is not None and before[0] is doc else (doc, pod_shape(doc))
        return {name: shape for name, (_, shape) in self._shapes.items()}

    def drain(self, now: int) -> list[dict[str, Any]]:
        """Frames of what changed since the last drain."""
        changes, self._changes = self._changes, []
        frames: list[dict[str, Any]] = [
            {"t": "object", "atMicros": now // 1000, "type": kind, "resource": resource, "cause": cause}
            | summary(resource, doc)
            for kind, resource, _, doc, cause in changes[-500:]
        ]
        if self.revision != self._told:
            self._told = self.revision
            frames.append({"t": "revision", "atMicros": now // 1000, "revision": self.revision})
        return frames

    def freshest(self, world: World) -> Any:
        """The running member that has applied most; None when none runs."""
        slots = world.state.slots
        if self._members[0] != len(slots) or any(name not in slots for name in self._members[1]):
            self._members = len(slots), tuple(name for name, slot in slots.items() if slot.kind == "etcd")
        running = [world.actors[name] for name in self._members[1] if name in world.actors]
        return max(running, key=lambda actor: actor.state.app.store.revision, default=None)

    def _reload(self, store: Any) -> None:
        before, self.by_resource = self.by_resource, {}
        self._quiet = {name: {} for name in QUIET}
        for key in store.live:
            self._apply("PUT", store.current[key])
        self._changes = []
        for resource, table in before.items():  # what a restored snapshot doesn't know is gone
            left = self.by_resource.get(resource, {})
            self._changes += [("DELETED", resource, name, doc, 0) for name, doc in table.items() if name not in left]
        if before:
            self._changes += [
                ("MODIFIED" if name in before.get(resource, {}) else "ADDED", resource, name, doc, 0)
                for resource, table in self.by_resource.items() for name, doc in table.items()
                if before.get(resource, {}).get(name) is not doc
            ]  # fmt: skip

    def _apply(self, kind: str, pair: Any) -> None:
        key = pair.key.decode("utf-8", "replace")
        resource, name = split_key(key)
        if not resource:
            return
        quiet = self._quiet.get(resource)
        if quiet is not None:
            if kind == "DELETE" or (not pair.cause and undecodable(resource, pair)):
                quiet.pop(name, None)
            else:
                quiet[name] = pair
            return
        table = self.by_resource.setdefault(resource, {})
        if kind == "DELETE":
            doc = table.pop(name, None)
            if doc is not None:
                self._changes.append(("DELETED", resource, name, doc, pair.cause))
            return
        doc = parsed(pair) if pair.cause or not undecodable(resource, pair) else None
        if doc is None:
            table.pop(name, None)  # what no apiserver can decode is on no page of objects
            return
        self._changes.append(("MODIFIED" if name in table else "ADDED", resource, name, doc, pair.cause))
        table[name] = doc
        if len(self._changes) > 5000:
            del self._changes[:2500]


def _began_with(member: Any) -> int:
    """The revision that a restored member's first snapshot has."""
    snapshot = member.state.raft.log.snapshot
    return member.state.app.store.revision if snapshot is None else snapshot.data.store.revision


def parsed(pair: Any) -> dict[str, Any] | None:
    """The object in a pair of etcd; None when it is none."""
    try:
        return document(pair.value, pair.mod_revision)
    except ValueError:
        pass
    try:
        doc = orjson.loads(pair.value)
    except ValueError:
        return None
    return doc if isinstance(doc, dict) and isinstance(doc.get("metadata"), dict) else None


def undecodable(resource: str, pair: Any) -> bool:
    """Was it written past the apiserver, and is no ``resource``?"""
    known = _kinds().get(resource)
    return bool(corrupt.nameless(parsed(pair)) if known is None else corrupt.problem(pair, builtin(), known))


@cache
def _kinds() -> dict[str, Any]:
    """Plural → the Resource, of what is stored."""
    return {r.plural: r for r in builtin().resources() if r.stored}


@cache
def _stored_under() -> dict[str, str]:
    """Directories of built-in kinds → plural: ``{"pods": "pods", "services/specs": "services", "minions": "nodes", …}``."""
    stored = (resource for resource in builtin().resources() if resource.stored)
    return {resource.prefix.removeprefix("/registry/"): resource.plural for resource in stored}


def split_key(key: str) -> tuple[str, str]:
    """``/registry/pods/default/web`` → ("pods", "default/web"); a custom resource → ("widgets.example.com", "default/one").

    What is no object (port ranges, leases of apiservers) has the resource "".
    """
    if not key.startswith("/registry/"):
        return "", ""
    head, _, tail = key[len("/registry/") :].partition("/")
    found = _stored_under().get(head)
    if found is not None:
        return found, tail
    second, _, rest = tail.partition("/")
    found = _stored_under().get(f"{head}/{second}")
    if found is not None:
        return found, rest
    return (f"{second}.{head}", rest) if "." in head and rest else ("", "")


def pod_shape(pod: dict[str, Any]) -> str:
    """The pod's phase as identity.md draws it."""
    status, meta = pod.get("status") or {}, pod["metadata"]
    phase = status.get("phase", "Pending")
    if "deletionTimestamp" in meta:
        return "Terminating"
    if phase in ("Succeeded", "Failed", "Unknown"):
        return phase
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") == "CrashLoopBackOff":
            return "CrashLoop"
    if phase == "Running":
        conditions = {c["type"]: c["status"] for c in status.get("conditions") or []}
        return "Ready" if conditions.get("Ready") == "True" else "Running"
    return "Creating" if (pod.get("spec") or {}).get("nodeName") else "Pending"


def pod_row(pod: dict[str, Any]) -> dict[str, Any]:
    """A pod as the map draws it."""
    meta, status = pod["metadata"], pod.get("status") or {}
    owners = meta.get("ownerReferences") or []
    return {
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "uid": meta.get("uid", ""),
        "node": (pod.get("spec") or {}).get("nodeName", ""),
        "phase": pod_shape(pod),
        "ip": status.get("podIP", ""),
        "owner": f"{owners[0]['kind']}/{owners[0]['name']}" if owners else "",
        "restarts": sum(c.get("restartCount", 0) for c in status.get("containerStatuses") or []),
        "app": (meta.get("labels") or {}).get("app", ""),
        "created": meta.get("creationTimestamp", ""),
    }


def node_ready(node: dict[str, Any]) -> bool:
    """The node's Ready condition is True."""
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def node_row(node: dict[str, Any]) -> dict[str, Any]:
    spec = node.get("spec") or {}
    return {
        "name": node["metadata"]["name"],
        "ready": node_ready(node),
        "unschedulable": bool(spec.get("unschedulable")),
        "podCIDR": spec.get("podCIDR", ""),
        "taints": [f"{t['key']}:{t['effect']}" for t in spec.get("taints") or []],
    }


def summary(resource: str, doc: dict[str, Any]) -> dict[str, Any]:
    """What a frame says of an object: its name, and for drawn kinds what is drawn."""
    meta = doc.get("metadata") or {}
    if resource == "pods":
        row = pod_row(doc)
    elif resource == "nodes":
        row = {"namespace": "", "uid": meta.get("uid", ""), **node_row(doc)}
    else:
        row = {"namespace": meta.get("namespace", ""), "name": meta.get("name", ""), "uid": meta.get("uid", "")}
    row["rv"] = meta.get("resourceVersion", "")
    return row


def objects(scene: Any, resource: str, namespace: str = "") -> list[dict[str, Any]]:
    """All documents of ``resource``, sorted by name."""
    table = scene.objects.get(resource)
    return [table[name] for name in sorted(table) if not namespace or name.startswith(namespace + "/")]


def object_yaml(scene: Any, resource: str, namespace: str, name: str) -> dict[str, Any]:
    """One document. KeyError if there is none."""
    return scene.objects.get(resource)[f"{namespace}/{name}" if namespace else name]
