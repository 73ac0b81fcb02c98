"""The second node: a packet that leaves one node for a pod of another is walked through that one's tables, too, there and back.

In: a packet's walk on its first node → out: what the node of every endpoint's pod does with it: its rules (FORWARD, POSTROUTING), NetworkPolicy where
the pod runs, and whether the pod gets it. The source is what the first node's MASQUERADE makes of it: the address of the device it leaves by.

Simplified here: an endpoint that is a process of another node itself (a kube-apiserver) is not followed there.
"""

from collections.abc import Callable
from typing import Any

from msgspec import structs

from cluster.netfilter.journey import journey as tell
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.walk import Leaf, Walker
from cluster.node import interfaces
from cluster.node.kernel import Kernel
from cluster.node.path import Known, Way, policy_json, travel, walk_json
from cluster.snapshot.node_network import kernels
from cluster.wire.packet import Packet

WalkerAt = Callable[[str, Packet], Walker | NftWalker]
MAX_SECOND = 16
"""Ends on other nodes that are walked there, in rule order."""


def known(objects: Any) -> Known:
    """The cluster as a node's agent would read it at this moment."""
    pods: dict[str, Any] = {}
    for doc in objects.get("pods").values():
        status = doc.get("status") or {}
        if (
            status.get("podIP")
            and not doc["spec"].get("hostNetwork")
            and status.get("phase") not in ("Succeeded", "Failed")
        ):
            pods[status["podIP"]] = doc
    cidrs = {name: (doc.get("spec") or {}).get("podCIDR", "") for name, doc in objects.get("nodes").items()}
    spaces = {doc["metadata"]["name"]: doc for doc in objects.get("namespaces").values()}
    return Known(cidrs, tuple(objects.get("networkpolicies").values()), pods, spaces)


def leaving(kernel: Kernel, there: Known, packet: Packet, masquerade: bool) -> str:
    """The source address with which ``packet`` leaves the node for its destination."""
    if not masquerade:
        return packet.src
    device = interfaces.route_to(packet.dst, kernel.config, kernel.state, there.cidrs).get("device", "eth0")
    cidr = there.cidrs.get(kernel.config.node, "")
    if cidr and device == "cni0":
        return interfaces.bridge_address(cidr)
    return interfaces.overlay_address(cidr) if cidr and device == "flannel.1" else kernel.config.address


def node_of(there: Known, address: str) -> str:
    """The node of the pod that has the address, or ""."""
    pod = there.pods.get(address)
    return pod["spec"].get("nodeName", "") if pod is not None else ""


def arrival(world: Any, there: Known, node: str, packet: Packet) -> Way | None:
    """What ``node`` does with ``packet``, which came from another one; None: it is switched off."""
    kernel = kernels(world).get(node)
    if kernel is None:
        return None
    device = "flannel.1" if kernel.config.overlay else "eth0"
    return travel(
        kernel.config, kernel.state, there, packet, kind=_kind(packet.protocol), device=device, local=False, pod="", now=world.now,
        dice=None, commit=False,
    )  # fmt: skip


def _kind(protocol: str) -> str:
    return {"tcp": "syn", "icmp": "echo"}.get(protocol, "udp")


def second_walks(world: Any, objects: Any, node: str, leaves: tuple[Leaf, ...]) -> list[dict[str, Any]]:
    """For the first ends that are pods of another node: ``{endpoint, node, verdict, why, source, tunnel, walk}``; verdict pod, drop, reject, lost or off."""
    there, kernel = known(objects), kernels(world)[node]
    found: list[dict[str, Any]] = []
    for leaf in leaves:
        if len(found) == MAX_SECOND:
            break
        other = node_of(there, leaf.packet.dst) if leaf.accepted else ""
        if not other or other == node:
            continue
        packet = structs.replace(leaf.packet, src=leaving(kernel, there, leaf.packet, leaf.masquerade), mark=0)
        way = arrival(world, there, other, packet)
        row = {
            "endpoint": f"{packet.dst}:{packet.dport}",
            "node": other,
            "source": packet.src,
            "tunnel": kernel.config.overlay,
        }
        if way is None:
            row |= {"verdict": "off", "why": f"{other} is switched off", "walk": None}
        else:
            row |= {"verdict": way.verdict, "why": way.why, "walk": walk_json(way)}
        found.append(row)
    return found


def follow(
    world: Any, objects: Any, told: dict[str, Any], node: str, other_walker: WalkerAt | None = None
) -> dict[str, Any] | None:
    """The way that ``told`` (a journey on ``node``) takes, told on the node of its pod; None: it ends on the first one.

    ``other_walker``: of another mode than the kernels', by node and packet; NetworkPolicy is asked all the same.
    """
    end = told["ways"][told["way"]] if told["ways"] else None
    if end is None or not (end["accepted"] or end.get("denied")):
        return None
    there = known(objects)
    sent = told["packet"]
    dst, _, port = (end["endpoint"] or f"{sent['dst']}:{sent['dport']}").rpartition(":")
    other = node_of(there, dst)
    kernel = kernels(world).get(other)
    if not other or other == node or kernel is None:
        return None
    packet = Packet(end["source"], dst, sent["protocol"], sent["sport"], int(port))
    way = arrival(world, there, other, packet)
    if way is None:
        return None
    far = tell(other_walker(other, packet) if other_walker else kernel.walker(packet, local=False), packet, local=False)
    far["frames"][0]["kind"] = "arrive"
    refused = next((one for one in way.policies if not one.allowed), None)
    if any(one.policy for one in way.policies):
        _judged(far, way)
    if refused is not None:
        far["reply"] = []
        far.pop("conntrack", None)
    device = "flannel.1" if kernel.config.overlay else "eth0"
    first = kernels(world)[node].config
    hop = {
        "node": other,
        "device": device,
        "tunnel": kernel.config.overlay,
        "outer": [first.address, kernel.config.address],
    }
    for frame in [*far["frames"], *far["reply"]]:
        frame |= hop
    verdict = way.verdict
    if other_walker is not None and refused is None:
        verdict = "pod" if far["ways"] and far["ways"][0]["accepted"] else "drop"
    return {**far, **hop, "verdict": verdict, "why": way.why, "accepted": verdict == "pod"}


def _judged(far: dict[str, Any], way: Way) -> None:
    """NetworkPolicy's frame stands after the routing decision; a refusal ends the way there."""
    frames = far["frames"]
    at = next((n + 1 for n, f in enumerate(frames) if f["kind"] == "route"), len(frames) - 1)
    for one in way.policies:
        before = frames[at - 1]["after"]
        said = policy_json(one)
        frame = {"kind": "policy", "hook": "FORWARD", "before": before, "after": before, **said, "index": one.rule}
        frames.insert(at, frame)
        at += 1
        if not one.allowed:
            end = {
                "kind": "end",
                "hook": "FORWARD",
                "before": before,
                "after": before,
                "verdict": "DROP",
                "policy": one.policy,
            }
            far["frames"] = [*frames[:at], end]
            return


def true_sources(world: Any, objects: Any, told: dict[str, Any], node: str) -> None:
    """MASQUERADE takes the address of the device that a packet leaves by: put it where the walk says "the node's"."""
    there, kernel = known(objects), kernels(world)[node]
    own, sent = kernel.config.address, told["packet"]
    chosen = own
    for number, end in enumerate(told["ways"]):
        if not end["masquerade"] or end["source"] != own or sent["src"] == own:
            continue
        dst = end["endpoint"].rpartition(":")[0] or sent["dst"]
        source = leaving(kernel, there, Packet(sent["src"], dst, sent["protocol"], 0, 0), True)
        end["source"] = source
        if number == told["way"]:
            chosen = source
    if chosen == own:
        return
    for frame in told["frames"]:
        _put(frame, "src", own, chosen)
        if frame["kind"] == "rule" and str(frame["outcome"]).endswith(f" from {own}"):
            frame["outcome"] = frame["outcome"].removesuffix(own) + chosen
        if frame["kind"] == "confirm":
            frame["entry"]["reply"]["dst"] = chosen
    for frame in told["reply"]:
        _put(frame, "dst", own, chosen)


def _put(frame: dict[str, Any], side: str, old: str, new: str) -> None:
    for when in ("before", "after"):
        if frame[when][side] == old:
            frame[when] = {**frame[when], side: new}
