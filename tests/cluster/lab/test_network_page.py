"""What the network page asks of a cluster: whom one can send from and to, a packet's journey in every mode, and how a lost endpoint left every node's rules."""

import pytest

from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import Desk


@pytest.fixture(scope="module")
def desk() -> Desk:
    desk = Desk.boot(workers=2)
    for line in ("create deployment web --image=nginx --replicas=2", "expose deployment web --port=80 --type=NodePort"):
        desk.type(f"kubectl {line}")
    desk.lab.run_until(desk.lab.now + 8 * SECOND)
    return desk


def test_every_address_of_a_service_and_its_journey_in_every_mode(desk: Desk) -> None:
    choices = desk.lab.query("network")
    service = next(one for one in choices["services"] if one["key"] == "default/web")
    pods = [pod for pod in choices["pods"] if pod["key"].startswith("default/web-")]
    assert service["ports"][0]["nodePort"] >= 30000 and service["endpoints"] == len(pods) == 2
    ends = {f"{pod['ip']}:80" for pod in pods}
    for mode in ("iptables", "nftables", "ipvs"):
        told = desk.lab.query("journey", src=pods[0]["key"], dst=service["clusterIP"], port=80, mode=mode)
        assert {way["endpoint"] for way in told["ways"]} == ends, mode
        assert {way["pod"] for way in told["ways"]} == {pod["key"] for pod in pods}
        assert told["frames"][-1]["kind"] == "end" and told["reply"][-1]["after"]["src"] == service["clusterIP"]
    balanced = next(f for f in desk.lab.query("journey", src=pods[0]["key"], dst=service["clusterIP"], port=80, mode="ipvs")["frames"] if f.get("station") == "ipvs")  # fmt: skip
    assert [row["text"].split()[0] for row in balanced["excerpt"]] == ["-A", "-a", "-a"]
    assert [row["here"] for row in balanced["excerpt"]].count(True) == 1 and balanced["asks"][0]["held"] == 1.0
    outside = desk.lab.query("journey", src="203.0.113.50", dst="node-1", port=service["ports"][0]["nodePort"])
    cidr = desk.get("/api/v1/nodes/node-1")["spec"]["podCIDR"].removesuffix(".0/24")
    assert outside["node"] == "node-1"
    for way in outside["ways"]:  # masqueraded with the device it leaves by: the bridge here, the tunnel's elsewhere
        assert way["source"] == (f"{cidr}.1" if way["node"] == "node-1" else f"{cidr}.0"), way
    assert desk.lab.query("journey", src="nobody", dst="node-1")["refused"]
    named = desk.lab.query("journey", src=pods[0]["key"], dst="web.default.svc.cluster.local", port=80)["frames"][0]
    assert (named["kind"], named["ip"], len(named["tried"])) == ("name", service["clusterIP"], 4), (
        "three names are asked in vain"
    )
    assert len(desk.lab.query("journey", src=pods[0]["key"], dst="web", port=80)["frames"][0]["tried"]) == 1


def test_a_packet_is_walked_on_the_second_node_too(desk: Desk) -> None:
    """There and back, by that node's own tables; a rule by hand there is met there."""
    choices = desk.lab.query("network")
    service = next(one for one in choices["services"] if one["key"] == "default/web")
    pods = {pod["key"]: pod for pod in choices["pods"] if pod["key"].startswith("default/web-")}
    here, far = sorted(pods.values(), key=lambda pod: pod["node"])
    assert here["node"] != far["node"]
    ends = desk.lab.query("journey", src=here["key"], dst=service["clusterIP"], port=80)["ways"]
    by = {way["pod"]: number for number, way in enumerate(ends)}

    def told(pod: dict) -> dict:
        return desk.lab.query("journey", src=here["key"], dst=service["clusterIP"], port=80, way=by[pod["key"]])

    assert "beyond" not in told(here), "a pod of the same node"
    beyond = told(far)["beyond"]
    assert (beyond["node"], beyond["device"], beyond["verdict"]) == (far["node"], "flannel.1", "pod")
    assert (beyond["packet"]["src"], beyond["packet"]["dst"]) == (here["ip"], far["ip"])
    assert beyond["frames"][0]["kind"] == "arrive" and beyond["frames"][-1]["verdict"] in ("ACCEPT", "NONE")
    assert any(f.get("chain") == "KUBE-FORWARD" and f["outcome"] == "ACCEPT" for f in beyond["reply"]), (
        "the answer is ESTABLISHED there"
    )
    for mode in ("nftables", "ipvs"):
        other = desk.lab.query("journey", src=here["key"], dst=service["clusterIP"], port=80, mode=mode)
        number = next(n for n, way in enumerate(other["ways"]) if way["pod"] == far["key"])
        found = desk.lab.query("journey", src=here["key"], dst=service["clusterIP"], port=80, mode=mode, way=number)[
            "beyond"
        ]
        assert (found["verdict"], found["kind"]) == ("pod", "nftables" if mode == "nftables" else beyond["kind"]), mode
    (row,) = [row for row in second(desk, here, service) if row["endpoint"] == f"{far['ip']}:80"]
    assert (row["node"], row["verdict"], row["tunnel"]) == (far["node"], "pod", True)
    desk.type(f"ssh {far['node']} iptables -I FORWARD -d {far['ip']} -j DROP")
    lost = told(far)
    assert lost["beyond"]["verdict"] == "drop" and not lost["ways"][by[far["key"]]]["accepted"] and not lost["reply"]
    assert [row["verdict"] for row in second(desk, here, service)] == ["drop"]
    counted = desk.type(f"ssh {far['node']} iptables -L FORWARD -n -v")[0].splitlines()[2].split()[0]
    assert counted == "0", "a walk that is only looked at counts nothing"
    desk.type(f"ssh {far['node']} iptables -D FORWARD 1")


def second(desk: Desk, here: dict, service: dict) -> list[dict]:
    return desk.lab.query("packet", src=here["key"], dst=service["key"], port=80)["second"]


def test_a_lost_endpoint_is_followed_to_every_node(desk: Desk) -> None:
    victim = next(pod for pod in desk.lab.query("network")["pods"] if pod["key"].startswith("default/web-"))
    desk.type(f"kubectl delete pod {victim['key'].partition('/')[2]} --wait=false")
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    found = [
        change for change in desk.lab.query("changes", service="default/web") if f"{victim['ip']}:80" in change["gone"]
    ]
    assert len(found) == 1
    change = found[0]
    assert change["resource"] == "endpointslices" and change["chain"][0]["verb"] == "delete"
    assert {node["node"] for node in change["nodes"]} >= {"node-1", "node-2"}
    assert all(change["at"] < node["at"] <= change["at"] + 1_100_000 and node["removed"] for node in change["nodes"])


def test_a_policy_says_no_on_the_receivers_node(desk: Desk) -> None:
    """Every end is judged where its pod runs; the way that is told stops at the refusal and has no answer."""
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": "default"},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]},
    }
    assert desk.ask("POST", "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies", policy)[0] == 201
    desk.type("kubectl create deployment asker --image=nginx")
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    choices = desk.lab.query("network")
    service = next(one for one in choices["services"] if one["key"] == "default/web")
    asker = next(pod["key"] for pod in choices["pods"] if pod["key"].startswith("default/asker-"))
    told = desk.lab.query("journey", src=asker, dst=service["clusterIP"], port=80)
    assert {(way["verdict"], way["denied"]) for way in told["ways"]} == {("DROP", "default/closed")}
    assert [frame["kind"] for frame in told["frames"][-2:]] == ["policy", "end"] and told["reply"] == []
    assert told["frames"][-2]["node"] == told["ways"][0]["node"]


def test_what_each_version_writes_for_a_service(desk: Desk) -> None:
    lines = desk.lab.query("versions", node="node-1", service="default/web")["lines"]
    assert any(line.startswith("+") and "KUBE-EXT-" in line for line in lines)


def test_what_somebody_wrote_on_the_node_is_walked_too(desk: Desk) -> None:
    """Rules by hand, in either language, and what a kube-proxy that is dead has left; another mode is as kube-proxy would write it."""
    desk.type("kubectl delete networkpolicies --all")
    service = next(one for one in desk.lab.query("network")["services"] if one["key"] == "default/web")

    def verdicts(**more: str) -> set[str]:
        given = {"dst": service["clusterIP"], "port": 80, "node": "node-1", **more}
        told = desk.lab.query("journey", src="203.0.113.50", **given)
        asked = desk.lab.query("packet", src="203.0.113.50", **given)
        assert {one["verdict"] for one in asked["outcomes"]} == {way["verdict"] for way in told["ways"]}
        return {way["verdict"] for way in told["ways"]}

    assert verdicts() == {"DNAT"}
    for add, take in (
        ("iptables -I FORWARD -p tcp -j DROP", "iptables -D FORWARD -p tcp -j DROP"),
        ("iptables -t nat -F", ""),
    ):
        assert desk.type(f"ssh node-1 {add}")[2] == 0
        assert "DNAT" not in verdicts() and verdicts(mode="nftables") == {"DNAT"}
        assert not take or desk.type(f"ssh node-1 {take}")[2] == 0
    for line in (
        "add table ip mine", "'add chain ip mine f { type filter hook forward priority 0; }'", "add rule ip mine f tcp dport 80 drop",
    ):  # fmt: skip
        assert desk.type(f"ssh node-1 nft {line}")[2] == 0, line
    assert verdicts() == {"DROP"}
    assert desk.type("ssh node-1 nft delete table ip mine")[2] == 0
    for table in ("nat", "mangle", "filter"):  # or its canaries live, and it doesn't notice
        for flag in ("-F", "-X"):
            assert desk.type(f"ssh node-1 iptables -t {table} {flag}")[2] == 0
    desk.until(lambda: verdicts() == {"DNAT"})
    desk.lab.world.stop("kube-proxy-node-1")
    assert verdicts() == {"DNAT"}
    (row,) = [one for one in desk.lab.query("network")["nodes"] if one["name"] == "node-1"]
    assert row["mode"] == "iptables" and row["proxy"] is None
