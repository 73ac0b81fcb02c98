"""NetworkPolicy's meaning, one sentence of the API's documentation a row."""

from typing import Any

import pytest

from cluster.network.policy import Wire, decide


def pod(name: str, namespace: str = "default", ports: tuple[dict[str, Any], ...] = (), **labels: str) -> dict[str, Any]:
    containers = [{"name": "c", "ports": list(ports)}]
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": {"containers": containers}}


WEB = pod("web", app="web", ports=({"name": "http", "containerPort": 8080},))
PODS = {
    "10.244.1.2": WEB,
    "10.244.1.3": pod("box", app="box"),
    "10.244.2.4": pod("far", "other", app="box"),
}
SPACES = {
    "default": {"metadata": {"name": "default", "labels": {"team": "a"}}},
    "other": {"metadata": {"name": "other", "labels": {"team": "b"}}},
}
BOX, FAR, OUT = "10.244.1.3", "10.244.2.4", "192.0.2.7"


def policy(spec: dict[str, Any], name: str = "p", namespace: str = "default") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"podSelector": {}, **spec}}


def may_enter(source: str, *policies: dict[str, Any], port: int = 8080, protocol: str = "TCP") -> bool:
    return decide("ingress", WEB, Wire(source, "10.244.1.2", protocol, port), policies, PODS, SPACES).allowed


PEERS = [
    ({}, [], "no policy type but ingress rules are none: isolated"),
    ({"ingress": [{}]}, [BOX, FAR, OUT], "an empty rule allows everything"),
    ({"ingress": [{"from": [{"podSelector": {}}]}]}, [BOX], "all pods of the policy's namespace"),
    ({"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "box"}}}]}]}, [BOX], "by label, same namespace"),
    ({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, [BOX, FAR], "all pods of all namespaces"),
    ({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}]}, [FAR], "of a namespace"),
    (
        {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {"matchLabels": {"app": "web"}}}]}]},
        [],
        "both selectors in one peer: and",
    ),
    (
        {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}, {"podSelector": {}}]}]},
        [BOX, FAR],
        "two peers: or",
    ),
    ({"ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]}, [OUT], "a block"),
    ({"ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.4/30"]}}]}]}, [], "but not its exceptions"),
    ({"ingress": [{"ports": [{"port": 8080}]}]}, [BOX, FAR, OUT], "a port"),
    ({"ingress": [{"ports": [{"port": "http"}]}]}, [BOX, FAR, OUT], "a named port"),
    ({"ingress": [{"ports": [{"port": "https"}]}]}, [], "a name that no container has"),
    ({"ingress": [{"ports": [{"port": 8000, "endPort": 8090}]}]}, [BOX, FAR, OUT], "a range"),
    ({"ingress": [{"ports": [{"port": 8081, "endPort": 8090}]}]}, [], "outside of it"),
    ({"ingress": [{"ports": [{"port": 8080, "protocol": "UDP"}]}]}, [], "another protocol"),
    ({"policyTypes": ["Egress"]}, [BOX, FAR, OUT], "an egress policy says nothing of ingress"),
    ({"podSelector": {"matchLabels": {"app": "db"}}}, [BOX, FAR, OUT], "a policy about other pods"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "allowed", "why"), PEERS, ids=[row[2] for row in PEERS])
def test_who_may_enter(spec: dict[str, Any], allowed: list[str], why: str) -> None:
    assert [source for source in (BOX, FAR, OUT) if may_enter(source, policy(spec))] == allowed, why


def test_rules_of_several_policies_add_up_and_the_decision_names_them() -> None:
    deny, allow = policy({}, "deny"), policy({"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "box"}}}], "ports": [{"port": 8080}]}]}, "let-box")  # fmt: skip
    wire = Wire(BOX, "10.244.1.2", "TCP", 8080)
    found = decide("ingress", WEB, wire, [deny, allow], PODS, SPACES)
    assert found.allowed and found.policy == "default/let-box" and found.rule == 0
    assert found.text.endswith("ingress rule 1 allows from pods app=box on port 8080/TCP")
    refused = decide("ingress", WEB, Wire(FAR, "10.244.1.2", "TCP", 8080), [deny, allow], PODS, SPACES)
    assert not refused.allowed and refused.policies == ("default/deny", "default/let-box")


def test_egress_is_judged_by_where_the_packet_goes() -> None:
    box = PODS[BOX]
    only_web = policy({"policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": "http"}]}]})  # fmt: skip
    assert decide("egress", box, Wire(BOX, "10.244.1.2", "TCP", 8080), [only_web], PODS, SPACES).allowed
    assert not decide("egress", box, Wire(BOX, "10.244.1.2", "TCP", 80), [only_web], PODS, SPACES).allowed
    assert not decide("egress", box, Wire(BOX, FAR, "TCP", 8080), [only_web], PODS, SPACES).allowed
    assert not decide("egress", box, Wire(BOX, "10.244.0.5", "UDP", 53), [only_web], PODS, SPACES).allowed, "DNS, too"
