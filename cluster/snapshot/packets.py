"""The first packet: where it would go to, once a request's last consequence is a rule in a node's kernel.

In → a trace; out → one packet to the Service that its rules serve, walked on the node that wrote them last, or None while no rules
were written because of it. The walk is computed from the tables as they are at the scene's instant; nothing is sent.
"""

from collections.abc import Iterator
from typing import Any

from cluster.netfilter.walk import as_json
from cluster.snapshot.network import CLIENT_PORT
from cluster.snapshot.node_network import kernels
from cluster.snapshot.scene import Scene
from cluster.trace.notes import Effect
from cluster.trace.recorder import Trace
from cluster.wire.packet import Packet

DEPTH = 12


def first_packet(scene: Scene, trace: Trace) -> dict[str, Any] | None:
    """``{service, node, to, port, protocol, verdict, endpoints, fresh, steps}``; ``fresh``: endpoints that are new because of it."""
    effects = [(at, effect) for at, effect in _effects(scene, trace, DEPTH) if effect.kind in ("rules", "sandbox")]
    rules = [(at, effect) for at, effect in effects if effect.kind == "rules" and effect.detail.get("added")]
    if not rules:
        return None
    workers = [pair for pair in rules if not pair[1].object.startswith("cp-")]
    effect = max(workers or rules, key=lambda pair: pair[0])[1]
    key = ":".join(str(effect.detail["service"]).split(":")[:1])
    service = scene.objects.get("services").get(key)
    kernel = kernels(scene.world).get(effect.object)
    if service is None or kernel is None:
        return None
    address = str(service["spec"].get("clusterIP") or "")
    ports = service["spec"].get("ports") or []
    if not ports or "." not in address:
        return None
    port, protocol = int(ports[0]["port"]), str(ports[0].get("protocol", "TCP")).lower()
    sent = Packet(kernel.config.address, address, protocol, CLIENT_PORT, port)
    walk = as_json(kernel.walker(sent, local=True).walk(sent, local=True))
    made = [e.object.removeprefix("pods/") for _, e in effects if e.kind == "sandbox"]
    fresh = {_address(scene, key) for key in made} - {""}
    return {
        **walk,
        "service": key,
        "node": effect.object,
        "to": address,
        "port": port,
        "protocol": protocol,
        "fresh": [e for e in walk.get("endpoints", []) if e.rpartition(":")[0] in fresh],
    }


def _address(scene: Scene, key: str) -> str:
    pod = scene.objects.get("pods").get(key)
    return str((pod.get("status") or {}).get("podIP") or "") if pod is not None else ""


def _effects(scene: Scene, trace: Trace, depth: int) -> Iterator[tuple[int, Effect]]:
    for at, _, effect in trace.effects:
        yield at, effect
    for number in trace.children if depth else ():
        child = scene.memory.traces.get(number)
        if child is not None:
            yield from _effects(scene, child, depth - 1)
