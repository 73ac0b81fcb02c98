"""One thing of the picture, opened: what the inspector beside it shows. And the box that finds it by its name.

In → ``select``: ``pod:<namespace>/<name>``, ``node:<name>``, ``host:<name>``, ``process:<name>``, ``service:<namespace>/<name>``,
``link:<a>~<b>`` (two processes or hosts) or ``client:<name>``; out → a dict with its ``kind``. KeyError when there is no such thing.

Simplified here: related requests are those that the recorder still remembers; a watch belongs to a kind, not to one object.
"""

from typing import Any

from cluster.snapshot.map import cells, endpoints, processes, role_of
from cluster.snapshot.objects import Unparsed, node_row, pod_row
from cluster.snapshot.scene import Scene
from cluster.trace.codec import request_frame

RAFT_FACTS = ("role", "term", "votedFor", "lead", "commit", "applied", "lastIndex", "revision")
"""What the inspector says of a member; the rest is on etcd's own page."""
MAX_EVENTS = 20
MAX_REQUESTS = 12
MAX_FOUND = 20


def place(scene: Scene, select: str) -> dict[str, Any]:
    """See the module."""
    kind, _, name = select.partition(":")
    make = {
        "pod": pod,
        "node": host,
        "host": host,
        "process": process,
        "service": service,
        "link": link,
        "client": client,
    }.get(kind)
    if make is None:
        raise KeyError(select)
    return make(scene, name)


def pod(scene: Scene, key: str) -> dict[str, Any]:
    doc = scene.objects.get("pods")[key]
    return {"kind": "pod", **pod_row(doc), "containers": containers(doc), **document(scene, "pods", doc, "Pod")}


def containers(doc: dict[str, Any]) -> list[dict[str, Any]]:
    """Each container: how it is, since when, and how often it was started again."""
    status = doc.get("status") or {}
    known = {row["name"]: row for row in status.get("containerStatuses") or ()}
    out: list[dict[str, Any]] = []
    for spec in (doc.get("spec") or {}).get("containers") or ():
        row = known.get(spec["name"], {})
        state, facts = next(iter((row.get("state") or {}).items()), ("waiting", {}))
        out.append(
            {
                "name": spec["name"],
                "image": spec.get("image", ""),
                "state": state,
                "reason": facts.get("reason", ""),
                "exitCode": facts.get("exitCode"),
                "ready": bool(row.get("ready")),
                "restarts": row.get("restartCount", 0),
            }
        )
    return out


def host(scene: Scene, name: str) -> dict[str, Any]:
    """A machine: its processes, and its Node with the pods on it when it is one."""
    machine = scene.world.state.hosts[name]
    out: dict[str, Any] = {
        "kind": "host",
        "name": name,
        "role": role_of(name),
        "up": machine.up,
        "paused": machine.paused,
        "processes": processes(scene, {name}),
        "node": None,
        "pods": [],
        "faults": faults(scene, {name}),
    }
    doc = scene.objects.get("nodes").get(name)
    if doc is not None:
        mine = (p for p in scene.objects.get("pods").values() if (p.get("spec") or {}).get("nodeName") == name)
        cell = next((row for row in cells(scene)[0] if row["name"] == name), None)
        out |= {
            "node": node_row(doc),
            "pods": sorted((pod_row(p) for p in mine), key=lambda row: (row["namespace"], row["name"])),
            "cpu": cell["cpu"] if cell else None,
            **document(scene, "nodes", doc, "Node"),
        }
    return out


def process(scene: Scene, name: str) -> dict[str, Any]:
    """A program that runs (or not), with all that it says of itself, and whom it talks with."""
    world = scene.world
    slot = world.state.slots[name]
    actor = world.actors.get(name)
    status = {} if actor is None else actor.status()
    if slot.kind == "etcd":
        status = {key: status[key] for key in RAFT_FACTS if key in status}
    return {
        "kind": "process",
        "process_kind": slot.kind,
        "name": name,
        "host": slot.host,
        "up": slot.up,
        "paused": slot.paused,
        "boot": slot.boot,
        "inbox": len(slot.inbox),
        "status": {key: facts for key, value in status.items() if (facts := _fact(value)) is not None},
        "peers": sorted(peer for peer in slot.peers if peer in world.state.slots)[:MAX_FOUND],
        "faults": faults(scene, {name, slot.host}),
    }


def _fact(value: Any) -> Any:
    """What can be said in a line: a scalar, or a table of scalars as text."""
    if isinstance(value, str | int | float) or value is None:
        return value
    if isinstance(value, dict) and value and len(value) <= 8 and all(isinstance(v, str | int) for v in value.values()):
        return ", ".join(f"{key} {v}" for key, v in value.items())
    return None


def service(scene: Scene, key: str) -> dict[str, Any]:
    """A Service and the addresses behind it."""
    doc = scene.objects.get("services")[key]
    spec = doc["spec"]
    ports = [f"{p.get('name') or ''} {p['port']}/{p.get('protocol', 'TCP')} → {p.get('targetPort', p['port'])}".strip()
             for p in spec.get("ports") or ()]  # fmt: skip
    return {
        "kind": "service",
        "name": doc["metadata"]["name"],
        "namespace": doc["metadata"]["namespace"],
        "type": spec.get("type", "ClusterIP"),
        "clusterIP": spec.get("clusterIP", ""),
        "ports": ports,
        "addresses": sorted(endpoints(scene).get(key, ())),
        **document(scene, "services", doc, "Service"),
    }


def link(scene: Scene, ends: str) -> dict[str, Any]:
    """The way between two processes or hosts, both directions: cut, lossy, slow, parted, and what is on it."""
    a, _, b = ends.partition("~")
    state = scene.world.state
    for end in (a, b):
        if end not in state.slots and end not in state.hosts:
            raise KeyError(end)
    home = {end: state.slots[end].host if end in state.slots else end for end in (a, b)}
    groups = state.network.groups
    sides = [groups.get(end, groups.get(home[end])) for end in (a, b)] if groups is not None else [0, 0]
    return {
        "kind": "link",
        "name": ends,
        "a": a,
        "b": b,
        "hosts": [home[a], home[b]],
        "apart": groups is not None and (sides[0] != sides[1] or (sides[0] is None and home[a] != home[b])),
        "faults": faults(scene, {a, home[a]}, {b, home[b]}),
        "usual": [state.network.low / 1e6, state.network.high / 1e6],
    }


def faults(scene: Scene, here: set[str], there: set[str] | None = None) -> list[dict[str, Any]]:
    """The links of ``here`` (with ``there``) that are not as they should be."""
    out: list[dict[str, Any]] = []
    for (a, b), way in scene.world.state.network.links.items():
        if (a in here and (there is None or b in there)) or (b in here and (there is None or a in there)):
            slow = way.low / 1e6 if way.low is not None else None
            out.append({"a": a, "b": b, "cut": way.cut, "loss": way.loss, "latencyMs": slow})
    return out


def client(scene: Scene, name: str) -> dict[str, Any]:
    """Who sits outside: real clients, or the console of the page."""
    if name not in ("outside", "console"):
        raise KeyError(name)
    return {"kind": "client", "name": name}


def document(scene: Scene, resource: str, doc: dict[str, Any], kind: str) -> dict[str, Any]:
    """What every object has: itself, its conditions, the Events about it, the requests that named it."""
    meta = doc["metadata"]
    namespace, name = meta.get("namespace", ""), meta["name"]
    return {
        "resource": resource,
        "object": doc,
        "conditions": [
            {key: row.get(key, "") for key in ("type", "status", "reason", "message", "lastTransitionTime")}
            for row in (doc.get("status") or {}).get("conditions") or ()
        ],
        "events": events(scene, kind, namespace, name),
        "requests": requests(scene, resource, namespace, name),
    }


def events(scene: Scene, kind: str, namespace: str, name: str) -> list[dict[str, Any]]:
    """Event objects about one object, newest first."""
    found: list[dict[str, Any]] = []
    events = scene.objects.get("events")
    for doc in events.saying(name) if isinstance(events, Unparsed) else events.values():
        about = doc.get("involvedObject") or {}
        if about.get("name") == name and about.get("kind") == kind and about.get("namespace", "") == namespace:
            found.append(
                {
                    "type": doc.get("type", "Normal"),
                    "reason": doc.get("reason", ""),
                    "message": doc.get("message", ""),
                    "count": doc.get("count") or 1,
                    "source": (doc.get("source") or {}).get("component", "") or doc.get("reportingComponent", ""),
                    "at": doc.get("lastTimestamp")
                    or doc.get("eventTime")
                    or doc["metadata"].get("creationTimestamp", ""),
                }
            )
    return sorted(found, key=lambda row: row["at"], reverse=True)[:MAX_EVENTS]


def requests(scene: Scene, resource: str, namespace: str, name: str) -> list[dict[str, Any]]:
    """Requests that named the object, newest first."""
    out: list[dict[str, Any]] = []
    for trace in reversed(scene.memory.traces.values()):
        began = trace.began
        if began.name == name and began.resource == resource and began.namespace == namespace:
            out.append(request_frame(trace))
            if len(out) == MAX_REQUESTS:
                break
    return out


def find(scene: Scene, q: str) -> list[dict[str, str]]:
    """Up to 20 things whose name has ``q`` in it: ``{select, name, kind}``; those that begin with it first."""
    word = q.strip().lower()
    if not word:
        return []
    found: list[tuple[int, int, str, dict[str, str]]] = []

    def look(rank: int, kind: str, key: str, select: str) -> None:
        if word in key.lower():
            starts = key.rpartition("/")[2].lower().startswith(word)
            found.append((0 if starts else 1, rank, key, {"select": select, "name": key, "kind": kind}))

    for name in scene.world.state.hosts:
        look(0, "host", name, f"host:{name}")
    for slot in scene.world.state.slots.values():
        look(1, slot.kind, slot.name, f"process:{slot.name}")
    for rank, (kind, resource) in enumerate((("service", "services"), ("pod", "pods")), 2):
        for key in scene.objects.get(resource):
            look(rank, kind, key, f"{kind}:{key}")
    found.sort(key=lambda row: row[:3])
    return [row for *_, row in found[:MAX_FOUND]]
