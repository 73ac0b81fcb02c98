"""NetworkPolicy: may this packet leave this pod, may it reach that one, and which policy and rule said so.

In: the policies, pods and namespaces as documents, a packet as the pod's end of the wire sees it → out: a ``Decision`` for each direction.

A pod that no policy selects for a direction is not isolated in it: everything is allowed. As soon as one does, only what some
rule of some policy that selects it allows gets through; rules only ever add. Replies of an allowed connection always get through (the kernel
asks only for a connection's first packet). Egress is judged by where the packet really goes, after the Service was translated; ingress
by where it really comes from, before its source was rewritten on this node.

Simplified here: traffic between a pod and its own node is always allowed, as most implementations do (kubelets probe).

Upstream: networking.k8s.io/v1, https://kubernetes.io/docs/concepts/services-networking/network-policies/.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from msgspec import Struct

from cluster.api import selectors

Doc = Mapping[str, Any]


class Decision(Struct, frozen=True):
    """``direction`` egress or ingress, of ``pod`` (namespace/name). ``policy`` "": no policy selects the pod."""

    direction: str
    pod: str
    allowed: bool
    policy: str = ""
    rule: int = -1
    """Index in the policy's ``egress`` or ``ingress``; -1: no rule."""
    text: str = ""
    policies: tuple[str, ...] = ()
    """All that select the pod for this direction."""


class Wire(Struct, frozen=True):
    """The packet: addresses, protocol in upper case, destination port."""

    src: str
    dst: str
    protocol: str
    dport: int


def decide(direction: str, pod: Doc, wire: Wire, policies: Iterable[Doc], pods: Mapping[str, Doc], spaces: Mapping[str, Doc]) -> Decision:  # fmt: skip
    """``pods``: by address (host-network pods are not among them); ``spaces``: namespaces by name."""
    key = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    selecting = [p for p in policies if selects(p, pod) and direction.capitalize() in policy_types(p)]
    names = tuple(_key(p) for p in selecting)
    if not selecting:
        return Decision(direction, key, True, text=f"no NetworkPolicy selects {key} for {direction}")
    remote = wire.dst if direction == "egress" else wire.src
    target = pods.get(wire.dst) if direction == "egress" else pod
    for policy in selecting:
        rules: list[Doc] = policy["spec"].get(direction) or []
        for index, rule in enumerate(rules):
            peers: list[Doc] = rule.get("to" if direction == "egress" else "from") or []
            if peers and not any(_peer(peer, remote, policy, pods, spaces) for peer in peers):
                continue
            ports: list[Doc] = rule.get("ports") or []
            if ports and not any(_port(port, wire, target) for port in ports):
                continue
            text = f"NetworkPolicy {_key(policy)} {direction} rule {index + 1} allows {_words(rule, direction)}"
            return Decision(direction, key, True, _key(policy), index, text, names)
    said = "has no rule that allows it" if len(names) == 1 else "have no rule that allows it"
    text = f"NetworkPolicy {', '.join(names)} {said}: {key} is isolated for {direction}"
    return Decision(direction, key, False, names[0], -1, text, names)


def selects(policy: Doc, pod: Doc) -> bool:
    """Whether the policy is about the pod."""
    if policy["metadata"]["namespace"] != pod["metadata"]["namespace"]:
        return False
    return _matches(policy["spec"].get("podSelector") or {}, pod)


def policy_types(policy: Doc) -> tuple[str, ...]:
    """``policyTypes``, or what the apiserver would have put there."""
    spec = policy["spec"]
    return tuple(spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]))


def _key(doc: Doc) -> str:
    return f"{doc['metadata']['namespace']}/{doc['metadata']['name']}"


def _matches(selector: Doc, doc: Doc) -> bool:
    return selectors.from_struct(selector).matches(doc["metadata"].get("labels") or {})


def _peer(peer: Doc, remote: str, policy: Doc, pods: Mapping[str, Doc], spaces: Mapping[str, Doc]) -> bool:
    block = peer.get("ipBlock")
    if block is not None:
        address = ip_address(remote)
        nets = [ip_network(cidr, strict=False) for cidr in (block["cidr"], *(block.get("except") or ()))]
        held = [address in net for net in nets if net.version == address.version]
        return bool(held) and held[0] and nets[0].version == address.version and not any(held[1:])
    other = pods.get(remote)
    if other is None:
        return False
    namespace = other["metadata"]["namespace"]
    if peer.get("namespaceSelector") is not None:
        space = spaces.get(namespace)
        if space is None or not _matches(peer["namespaceSelector"], space):
            return False
    elif namespace != policy["metadata"]["namespace"]:
        return False
    return peer.get("podSelector") is None or _matches(peer["podSelector"], other)


def _port(port: Doc, wire: Wire, target: Doc | None) -> bool:
    if (port.get("protocol") or "TCP") != wire.protocol:
        return False
    wanted = port.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return any(
            one.get("name") == wanted and one.get("protocol", "TCP") == wire.protocol and one["containerPort"] == wire.dport
            for container in (target["spec"]["containers"] if target is not None else ())
            for one in container.get("ports") or ()
        )  # fmt: skip
    return wanted <= wire.dport <= (port.get("endPort") or wanted)


def _words(rule: Doc, direction: str) -> str:
    """The rule in words: ``from pods app=web, to port 80/TCP``."""
    peers = rule.get("to" if direction == "egress" else "from") or ()
    who = " or ".join(_peer_words(peer) for peer in peers) or ("anywhere" if direction == "egress" else "anyone")
    ports = ", ".join(_port_words(port) for port in rule.get("ports") or ())
    return f"{'to' if direction == 'egress' else 'from'} {who}" + (f" on {ports}" if ports else "")


def _peer_words(peer: Doc) -> str:
    block = peer.get("ipBlock")
    if block is not None:
        but = block.get("except")
        return block["cidr"] + (f" except {', '.join(but)}" if but else "")
    parts = []
    if peer.get("podSelector") is not None:
        parts.append(f"pods {selector_words(peer['podSelector'])}")
    if peer.get("namespaceSelector") is not None:
        parts.append(f"namespaces {selector_words(peer['namespaceSelector'])}")
    return " in ".join(parts)


def _port_words(port: Doc) -> str:
    wanted = port.get("port")
    span = "every port" if wanted is None else f"port {wanted}" + (f"-{port['endPort']}" if port.get("endPort") else "")
    return f"{span}/{port.get('protocol') or 'TCP'}"


def selector_words(selector: Doc) -> str:
    """``app=web, tier in (a,b)``; ``(all)`` for the empty selector."""
    words = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        values = ",".join(one.get("values") or ())
        words.append({
            "In": f"{one['key']} in ({values})", "NotIn": f"{one['key']} notin ({values})",
            "Exists": one["key"], "DoesNotExist": f"!{one['key']}",
        }[one["operator"]])  # fmt: skip
    return ", ".join(words) or "(all)"
