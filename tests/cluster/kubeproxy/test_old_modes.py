"""What kube-proxy once was: the userspace mode, and iptables mode as 1.22 wrote it."""

from msgspec import structs

from cluster.kubeproxy import history
from cluster.kubeproxy.change_tracker import PortName
from cluster.kubeproxy.modes import userspace
from cluster.kubeproxy.modes.iptables import service_chain
from cluster.kubeproxy.offline import proxyrules, read_objects, tracepacket, tracker_of
from cluster.sim import SECOND
from tests.cluster.kubeproxy.test_ipvs import NODE, OBJECTS

NODE_IPS = ("172.18.0.11",)
WEB = PortName("shop", "web", "http", "tcp")


def objects(policy: str = "Cluster", protocol: str = "TCP") -> str:
    return OBJECTS % {"policy": policy, "affinity": "None", "protocol": protocol}


def test_portals_of_every_kind() -> None:
    options = structs.replace(NODE, mode="userspace")
    lines = proxyrules(objects(), options).splitlines()
    port = userspace.proxy_port(WEB)
    head = "-m comment --comment shop/web:http -p tcp -m tcp --dport"
    assert lines[1] == f"# kube-proxy listens on {port}/tcp for shop/web:http: 10.244.1.2:8080, 10.244.2.2:8080"
    assert f"-A KUBE-PORTALS-CONTAINER {head} 80 -d 10.96.0.10/32 -j REDIRECT --to-ports {port}" in lines
    assert f"-A KUBE-PORTALS-HOST {head} 80 -d 10.96.0.10/32 -j DNAT --to-destination 172.18.0.11:{port}" in lines
    assert (
        f"-A KUBE-PORTALS-CONTAINER {head} 80 -d 192.0.2.7/32 -m physdev ! --physdev-is-in -j REDIRECT --to-ports {port}"
        in lines
    )
    assert f"-A KUBE-NODEPORT-CONTAINER {head} 30080 -j REDIRECT --to-ports {port}" in lines
    assert f"-A KUBE-NODEPORT-NON-LOCAL {head} {port} -m state --state NEW -j ACCEPT" in lines
    assert "shop/web" not in proxyrules(objects(protocol="SCTP"), options)


def test_packets_go_to_the_process() -> None:
    text = proxyrules(objects(), structs.replace(NODE, mode="userspace"))
    port = userspace.proxy_port(WEB)
    for src, dst, at in (
        ("10.244.1.9", "10.96.0.10", 80),
        ("172.18.0.11", "10.96.0.10", 80),
        ("203.0.113.5", "172.18.0.11", 30080),
        ("172.18.0.11", "172.18.0.11", 30080),
    ):
        walk = tracepacket(text, src=src, dst=dst, protocol="tcp", port=at, node_ips=NODE_IPS)
        assert (walk["verdict"], walk["endpoints"]) == ("DNAT", [f"172.18.0.11:{port}"])
    elsewhere = tracepacket(text, src="10.244.1.9", dst="10.96.0.10", protocol="tcp", port=81, node_ips=NODE_IPS)
    assert elsewhere["verdict"] == "NONE"


def test_two_services_never_share_a_port() -> None:
    documents = "---\n".join(
        f"{{apiVersion: v1, kind: Service, metadata: {{namespace: d, name: s{n}}}, spec: {{clusterIP: 10.96.{n // 250}.{n % 250 + 1}, "
        "ports: [{port: 80}]}}\n"
        for n in range(400)
    )
    found = userspace.everything(tracker_of(read_objects(documents), 4), NODE)
    assert len({one.proxy_port for one in found.values()}) == 400


def test_services_that_came_one_by_one_share_no_port_either() -> None:
    documents = "---\n".join(
        f"{{apiVersion: v1, kind: Service, metadata: {{namespace: d, name: s{n}}}, spec: {{clusterIP: 10.96.{n // 250}.{n % 250 + 1}, "
        "ports: [{port: 80}]}}\n"
        for n in range(400)
    )
    tracker = tracker_of(read_objects(documents), 4)
    ports = {name: one for n in range(400) for name, one in userspace.chosen(tracker, f"d/s{n}", NODE).items()}
    portals = userspace.kernel_of(ports, NODE).tables["nat"]["KUBE-PORTALS-CONTAINER"].rules
    assert len({rule.target for rule in portals}) == len(portals) == 400


def test_the_processs_round_robin() -> None:
    balancer = userspace.Balancer()
    assert balancer.next("a", 0) == ""
    balancer.update(("1", "2", "3"))
    assert [balancer.next("a", 0) for _ in range(4)] == ["1", "2", "3", "1"]
    sticky = userspace.Balancer(affinity_seconds=60)
    sticky.update(("1", "2", "3"))
    assert [sticky.next(c, 0) for c in "abab"] == ["1", "2", "1", "2"]
    assert sticky.next("a", 59 * SECOND) == "1" and sticky.next("a", 118 * SECOND) == "1"
    assert sticky.next("a", 180 * SECOND) == "3"
    sticky.update(("1", "2"))
    assert sticky.next("a", 181 * SECOND) == "1"  # its endpoint went: forgotten, and the turn begins anew
    assert sticky.next("a", 182 * SECOND, reset=True) == "2"


def test_122_and_today_side_by_side() -> None:
    tracker = tracker_of(read_objects(objects("Local")), 4)
    texts = history.by_version(tracker, NODE, jumps=True)
    xlb, fw = service_chain("KUBE-XLB-", WEB), service_chain("KUBE-FW-", WEB)
    ext = service_chain("KUBE-EXT-", WEB)
    assert xlb in texts["1.22"] and ext not in texts["1.22"] and "KUBE-PROXY-FIREWALL" not in texts["1.22"]
    assert ext in texts["1.32"] and xlb not in texts["1.32"] and "KUBE-MARK-DROP" not in texts["1.32"]
    old = texts["1.22"].splitlines()
    assert (
        f'-A {xlb} -m comment --comment "masquerade LOCAL traffic for shop/web:http LB IP" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ'
        in old
    )
    assert f'-A {fw} -m comment --comment "shop/web:http loadbalancer IP" -s 203.0.113.0/24 -j {xlb}' in old
    assert f'-A {fw} -m comment --comment "shop/web:http loadbalancer IP" -j KUBE-MARK-DROP' in old
    assert (
        "-A KUBE-NODEPORTS -m comment --comment shop/web:http -m tcp -p tcp --dport 30080 -s 127.0.0.0/8 -j KUBE-MARK-MASQ"
        in old
    )
    changed = history.differences(texts)
    assert any(line.startswith("-") and "KUBE-XLB-" in line for line in changed)
    assert any(line.startswith("+") and "KUBE-PROXY-FIREWALL" in line for line in changed)
    for text in texts.values():  # the same end for who may, on both
        walk = tracepacket(text, src="203.0.113.5", dst="172.18.0.11", protocol="tcp", port=30080, node_ips=NODE_IPS)
        assert (walk["verdict"], walk["endpoints"], walk["masquerade"]) == ("DNAT", ["10.244.1.2:8080"], False)


def test_122_without_local_endpoints_marks_for_dropping() -> None:
    texts = history.by_version(
        tracker_of(read_objects(objects("Local")), 4), structs.replace(NODE, node="node-9"), jumps=True
    )
    for text in texts.values():
        walk = tracepacket(text, src="203.0.113.5", dst="172.18.0.11", protocol="tcp", port=30080, node_ips=NODE_IPS)
        assert walk["verdict"] == "DROP"
    dropped = [line for line in texts["1.22"].splitlines() if line.endswith("KUBE-MARK-DROP")]
    assert any('"shop/web:http has no local endpoints"' in line for line in dropped)
