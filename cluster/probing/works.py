"""What still works? Each line of the list is tried in a copy of this very moment, and says what came of it.

| line | how it is tried |
|---|---|
| ``pods`` | every container that runs is looked up in its node's kubelet; ``PATIENCE`` later the same ones must still run |
| ``rules`` | a packet to a Service is walked through each living node's own rules; the endpoints it may choose must run |
| ``serializable`` ``linearizable`` ``put`` | each member that runs is asked; a put writes one key of the probe's own |
| ``get`` ``cached`` | a list of Pods through the balancer, as ``kubectl get`` asks; the same from the apiserver's cache (``resourceVersion=0``) |
| ``servers`` | each apiserver that runs is asked for the same list by itself: a stacked one is of no use without its own host's member |
| ``watch`` | a watch is opened, then something it watches is written: does the event arrive? |
| ``apply`` | a server-side apply of a ConfigMap |
| ``schedule`` | a Deployment with one Pod is created: does the Pod get a node, and does it start? |
| ``failover`` | that Pod's host is switched off: does another Pod run elsewhere? |

A verdict is ``yes``, ``partly`` or ``no``; ``why`` is a word that pages have a sentence for, ``facts`` the evidence with times in virtual
microseconds. Requests get ``PATIENCE`` to be answered: etcd's own deadline is 7 s, twice that for a read behind another's.

Simplified here: the Pod that is moved tolerates a lost node for 1 s, not the usual 300 s; the 50 s until a node counts as lost are the real ones.
"""

from typing import Any

import orjson

from cluster.probing.twin import Twin
from cluster.sim.clock import MILLISECOND, SECOND
from cluster.snapshot.network import Probe, packet
from cluster.snapshot.objects import Objects
from cluster.snapshot.scene import Scene
from cluster.trace.recorder import Memory
from cluster.wire import etcd
from cluster.wire.http import HttpChunk, HttpReset, HttpResponse

PATIENCE = 15 * SECOND
"""A linearizable read may wait out a failing round before its own one fails, too: 14 s."""
START = 30 * SECOND
"""A Pod of one small image runs within this when all is well."""
MOVE = 110 * SECOND
"""50 s of grace, the taint, 1 s of toleration, and a new Pod's start."""
NAME = "clearplane-probe"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
Line = dict[str, Any]


def works(scene: Scene) -> dict[str, Any]:
    """``{lines: [{key, verdict, why, facts}], ranMicros}``. See the module."""
    twin = Twin(scene.world)
    bare = scene.spec.bare
    before = {} if bare else running_pods(twin)
    _ask_members(twin)
    if not bare:
        _ask_apiserver(twin)
    twin.run(PATIENCE, lambda: _answered(twin))
    lines: list[Line] = []
    if not bare:
        # A container that runs does so whether or not anybody can ask: the same ones are looked at again after all this time.
        lines += [_pods(scene, before, running_pods(twin)), _rules(scene)]
    lines += _members(twin)
    if not bare:
        lines += [
            _each_server(twin),
            _watch(twin),
            _get(twin, "get"),
            _get(twin, "cached"),
            _apply(twin),
            *_moving(twin),
        ]
    return {"lines": lines, "ranMicros": twin.passed // 1000}


# -- asking -----------------------------------------------------------------------------------------------------------


def _ask_members(twin: Twin) -> None:
    for slot in twin.world.state.slots.values():
        if slot.kind == "etcd" and slot.up:
            key = f"/{NAME}".encode()
            asks = {
                "serializable": etcd.RangeRequest(twin.number(), key, serializable=True),
                "linearizable": etcd.RangeRequest(twin.number(), key),
                "put": etcd.PutRequest(twin.number(), key, b"1"),
            }
            for what, message in asks.items():
                twin.send(f"{what}/{slot.name}", slot.name, message)


def _ask_apiserver(twin: Twin) -> None:
    twin.http("watch", "GET", CONFIGMAPS, f"watch=true&fieldSelector=metadata.name%3D{NAME}&resourceVersion=0")
    twin.http("get", "GET", "/api/v1/namespaces/kube-system/pods")
    twin.http("cached", "GET", "/api/v1/namespaces/kube-system/pods", "resourceVersion=0")
    for name in _servers(twin):
        twin.http(f"server/{name}", "GET", "/api/v1/namespaces/kube-system/pods", to=name)
    twin.run(100 * MILLISECOND)
    doc = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"probe": str(twin.began)}}
    query = f"fieldManager={NAME}&force=true"
    twin.http("apply", "PATCH", f"{CONFIGMAPS}/{NAME}", query, orjson.dumps(doc), "application/apply-patch+yaml")
    path = "/apis/apps/v1/namespaces/default/deployments"
    twin.http("deployment", "POST", path, "", orjson.dumps(_deployment()), "application/json")


def _deployment() -> dict[str, Any]:
    soon = [{"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
            for key in ("not-ready", "unreachable")]  # fmt: skip
    pod = {"containers": [{"name": "probe", "image": "registry.k8s.io/pause:3.10"}], "tolerations": soon}
    labels = {"app": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _answered(twin: Twin) -> bool:
    if any(name not in twin.heard for name in twin.asked):
        return False
    applied = twin.first("apply")
    # The event of what was applied is still on its way when the answer is there.
    good = isinstance(applied, HttpResponse) and applied.code < 300
    return not good or any(isinstance(message, HttpChunk) for _, message in twin.heard["watch"])


# -- etcd -------------------------------------------------------------------------------------------------------------


def _members(twin: Twin) -> list[Line]:
    up = [slot.name for slot in twin.world.state.slots.values() if slot.kind == "etcd"]
    lines: list[Line] = []
    for what in ("serializable", "linearizable", "put"):
        rows = [{"member": name, **_member_answer(twin, f"{what}/{name}")} for name in up]
        good = sum(row["ok"] for row in rows)
        asked = sum(row["asked"] for row in rows)
        verdict = "no" if not good else "yes" if good == asked else "partly"
        lines.append(_line(what, verdict, "" if asked else "nomember", members=rows, good=good, asked=asked))
    return lines


def _member_answer(twin: Twin, name: str) -> dict[str, Any]:
    message, took = twin.first(name), twin.took(name)
    row: dict[str, Any] = {"asked": name in twin.asked, "ok": False, "tookMicros": took, "said": ""}
    if isinstance(message, etcd.EtcdError):
        row["said"] = message.message
    elif isinstance(message, etcd.RangeResponse | etcd.PutResponse):
        row |= {"ok": True, "revision": message.header.revision}
    elif message is not None:
        row["said"] = "connection reset"
    return row


# -- through the apiserver --------------------------------------------------------------------------------------------


def _answer(twin: Twin, name: str) -> dict[str, Any]:
    """What came back to a request: code, the Status's sentence, how long it took."""
    message = twin.first(name)
    facts: dict[str, Any] = {"code": 0, "said": "", "tookMicros": twin.took(name)}
    if isinstance(message, HttpResponse):
        facts["code"] = message.code
        if message.code >= 300:
            doc = message.doc if message.doc is not None else _json(message.body)
            facts["said"] = str((doc or {}).get("message") or message.body[:200].decode("utf-8", "replace"))
    elif isinstance(message, HttpReset):
        facts["said"] = message.error
    return facts


def _json(body: bytes) -> Any:
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return doc if isinstance(doc, dict) else None


def _why(facts: dict[str, Any]) -> str:
    return "silent" if facts["tookMicros"] is None else "refused" if not facts["code"] else "error"


def _servers(twin: Twin) -> list[str]:
    return [slot.name for slot in twin.world.state.slots.values() if slot.kind == "kube-apiserver" and slot.up]


def _each_server(twin: Twin) -> Line:
    rows = [{"server": name, **_answer(twin, f"server/{name}")} for name in _servers(twin)]
    good = sum(row["code"] == 200 for row in rows)
    verdict = "no" if not good else "yes" if good == len(rows) else "partly"
    return _line("servers", verdict, "" if rows else "noserver", servers=rows, good=good, asked=len(rows))


def _get(twin: Twin, name: str) -> Line:
    facts = _answer(twin, name)
    good = facts["code"] == 200
    return _line(name, "yes" if good else "no", "" if good else _why(facts), **facts)


def _apply(twin: Twin) -> Line:
    facts = _answer(twin, "apply")
    good = facts["code"] in (200, 201)
    return _line("apply", "yes" if good else "no", "" if good else _why(facts), **facts)


def _watch(twin: Twin) -> Line:
    """Open watches go on; whether they have anything to say is another question."""
    opened = _answer(twin, "watch")
    others = 0
    for name, actor in twin.world.actors.items():
        if twin.world.state.slots[name].kind == "kube-apiserver":
            others += actor.status()["watchers"]
    events = [at for at, message in twin.heard.get("watch", ()) if isinstance(message, HttpChunk)]
    facts = {**opened, "open": others, "events": len(events)}
    if opened["code"] != 200:
        return _line("watch", "partly" if others else "no", "old" if others else _why(opened), **facts)
    if not events:
        return _line("watch", "partly", "quiet", **facts)
    return _line("watch", "yes", "", **facts, eventMicros=(events[0] - twin.asked["apply"]) // 1000)


# -- scheduling and failover ------------------------------------------------------------------------------------------


def _moving(twin: Twin) -> list[Line]:
    created = _answer(twin, "deployment")
    if created["code"] not in (201, 409):
        why = _why(created)
        return [
            _line("schedule", "no", "uncreated", **created, how=why),
            _line("failover", "no", "uncreated", **created, how=why),
        ]
    objects = Objects(Memory())
    began = twin.world.now
    twin.run(START, lambda: any(_ready(pod) for pod in _mine(twin, objects)))
    pods = _mine(twin, objects)
    bound = next((pod for pod in pods if (pod.get("spec") or {}).get("nodeName")), None)
    if bound is None:
        facts = {"pods": len(pods), "waitedMicros": (twin.world.now - began) // 1000, "said": _unschedulable(pods)}
        why = "unscheduled" if pods else "unmade"
        return [_line("schedule", "no", why, **facts), _line("failover", "no", "unscheduled", **facts)]
    node = bound["spec"]["nodeName"]
    facts = {"node": node, "pod": bound["metadata"]["name"], "tookMicros": (twin.world.now - began) // 1000}
    if not _ready(bound):
        return [_line("schedule", "partly", "unstarted", **facts), _line("failover", "no", "unstarted", **facts)]
    return [_line("schedule", "yes", "", **facts), _failover(twin, objects, node)]


def _failover(twin: Twin, objects: Objects, node: str) -> Line:
    twin.world.stop_host(node)
    began = twin.world.now

    def moved() -> bool:
        return any(_ready(pod) and pod["spec"].get("nodeName") != node for pod in _mine(twin, objects))

    twin.run(MOVE, moved)
    facts = {"from": node, "tookMicros": (twin.world.now - began) // 1000}
    for pod in _mine(twin, objects):
        if _ready(pod) and pod["spec"].get("nodeName") != node:
            return _line("failover", "yes", "", **facts, to=pod["spec"]["nodeName"])
    waiting = [pod for pod in _mine(twin, objects) if not (pod.get("spec") or {}).get("nodeName")]
    return _line("failover", "no", "unscheduled" if waiting else "unmoved", **facts, said=_unschedulable(waiting))


def _mine(twin: Twin, objects: Objects) -> list[dict[str, Any]]:
    pods = objects.follow(twin.world).get("pods")
    return [pod for pod in pods.values() if (pod["metadata"].get("labels") or {}).get("app") == NAME]


def _ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)


def _unschedulable(pods: list[dict[str, Any]]) -> str:
    for pod in pods:
        for row in (pod.get("status") or {}).get("conditions") or ():
            if row["type"] == "PodScheduled" and row["status"] == "False":
                return str(row.get("message", ""))
    return ""


# -- what runs without anybody ----------------------------------------------------------------------------------------


def running_pods(twin: Twin) -> dict[str, str]:
    """Pod → the node whose kubelet has it running at this instant; a stopped host has no kubelet and runs nothing."""
    found: dict[str, str] = {}
    for name, actor in twin.world.actors.items():
        if twin.world.state.slots[name].kind == "kubelet":
            status = actor.status()
            found |= {key: status["node"] for key, state in status["pods"].items() if state == "running"}
    return found


def _pods(scene: Scene, before: dict[str, str], after: dict[str, str]) -> Line:
    told = {
        key: (doc.get("spec") or {}).get("nodeName", "")
        for key, doc in scene.objects.get("pods").items()
        if (doc.get("status") or {}).get("phase") == "Running"
    }
    kept = sum(1 for key, node in before.items() if after.get(key) == node)
    lost = sorted(key for key in told if key not in before)
    facts = {"running": len(before), "told": len(told), "kept": kept, "lost": lost[:8], "lostCount": len(lost)}
    if not before:
        return _line("pods", "no", "none", **facts)
    verdict = "yes" if not lost and kept == len(before) else "partly"
    return _line("pods", verdict, "lost" if lost else "", **facts)


def _rules(scene: Scene) -> Line:
    service, port = _service(scene)
    rows: list[dict[str, Any]] = []
    alive = _running_addresses(scene)
    for slot in scene.world.state.slots.values():
        if slot.kind != "kube-proxy" or not slot.up or not scene.world.state.hosts[slot.host].up:
            continue
        walk = packet(scene.world, scene.objects, Probe(slot.host, service, "tcp", port, slot.host)) if service else {}
        ends = walk.get("endpoints") or []
        rows.append(
            {
                "node": slot.host,
                "verdict": str(walk.get("verdict") or walk.get("error") or ""),
                "endpoints": len(ends),
                "alive": sum(1 for end in ends if end.rpartition(":")[0] in alive),
                "rules": scene.world.actors[slot.name].status().get("rules", 0),
            }
        )
    facts = {"service": service, "port": port, "nodes": rows}
    good = [row for row in rows if row["verdict"] == "DNAT" and row["alive"]]
    if not rows:
        return _line("rules", "no", "nonode", **facts)
    if not service:
        return _line("rules", "yes", "noservice", **facts)
    stale = any(row["alive"] < row["endpoints"] for row in good)
    if not good:
        return _line("rules", "no", "dead", **facts)
    return _line("rules", "partly" if stale or len(good) < len(rows) else "yes", "stale" if stale else "", **facts)


def _service(scene: Scene) -> tuple[str, int]:
    """A Service with an address and endpoints: one of the user's, else the cluster's own; and its first TCP port."""
    best: tuple[int, str, int] | None = None
    full = {_owner(doc) for doc in scene.objects.get("endpointslices").values() if doc.get("endpoints")}
    for key, doc in scene.objects.get("services").items():
        ports = [row for row in doc["spec"].get("ports") or () if row.get("protocol", "TCP") == "TCP"]
        if key not in full or not ports or "." not in str(doc["spec"].get("clusterIP")):
            continue
        rank = 2 if key == "default/kubernetes" else 1 if key.startswith("kube-system/") else 0
        if best is None or (rank, key) < best[:2]:
            best = (rank, key, int(ports[0]["port"]))
    return (best[1], best[2]) if best else ("", 0)


def _owner(doc: dict[str, Any]) -> str:
    name = (doc["metadata"].get("labels") or {}).get("kubernetes.io/service-name") or doc["metadata"]["name"]
    return f"{doc['metadata'].get('namespace', '')}/{name}"


def _running_addresses(scene: Scene) -> set[str]:
    """Addresses at which something answers: Pods that their kubelet runs, and hosts whose apiserver runs."""
    state = scene.world.state
    found: set[str] = set()
    for name, actor in scene.world.actors.items():
        slot = state.slots[name]
        if slot.kind == "kubelet":
            runs = {key for key, how in actor.status()["pods"].items() if how == "running"}
            for key in runs:
                doc = scene.objects.get("pods").get(key) or {}
                found.add(str((doc.get("status") or {}).get("podIP", "")))
        elif slot.kind == "kube-apiserver" and not slot.paused:
            found.add(slot.config.address)
    return found


def _line(key: str, verdict: str, why: str = "", **facts: Any) -> Line:
    return {"key": key, "verdict": verdict, "why": why, "facts": facts}
