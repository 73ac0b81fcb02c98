"""What kube-proxy answers over HTTP on its node."""

import orjson
import pytest

from cluster.kubeproxy import health
from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.kubeproxy.life import CannotStart, configuration
from cluster.kubeproxy.options import ProxyOptions, go_seconds
from cluster.kubeproxy.state import ProxyState
from cluster.sim import SECOND
from cluster.wire.packet import Listener, SocketRequest

NODE = ProxyOptions(node="node-1", node_ip="172.18.0.11", node_ips=("172.18.0.11",), cluster_cidr="10.244.0.0/16")


def service(kind: str = "LoadBalancer", policy: str = "Local", **more: object) -> dict:
    ports = [{"name": "a", "port": 80, "nodePort": 30080}, {"name": "b", "port": 443, "nodePort": 30443}]
    spec = {"type": kind, "clusterIP": "10.96.0.9", "externalTrafficPolicy": policy, "healthCheckNodePort": 30999, "ports": ports}  # fmt: skip
    return {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec | more}


def endpoint_slice(*endpoints: tuple[str, str, dict]) -> dict:
    made = [{"addresses": [ip], "nodeName": node, "conditions": conditions} for ip, node, conditions in endpoints]
    ports = [{"name": "a", "port": 8080}, {"name": "b", "port": 8443}]
    meta = {"namespace": "shop", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}
    return {"metadata": meta, "addressType": "IPv4", "ports": ports, "endpoints": made}


def synced(*objects: dict) -> ProxyState:
    state = ProxyState(tracker=ChangeTracker())
    state.health.uid = "u"
    state.tracker.service(None, objects[0])
    for one in objects[1:]:
        state.tracker.endpoint_slice(None, one)
    health.look(state.health, state.tracker, "node-1", state.tracker.take_changes())
    return state


def ask(state: ProxyState, socket: str, path: str = "/", now: int = 90 * SECOND, options: ProxyOptions = NODE) -> tuple[int, dict[str, str], str]:  # fmt: skip
    response = health.answer(SocketRequest(7, socket, "GET", path), state, options, 1_780_000_000, now)
    assert response.id == 7
    return response.code, dict(response.headers), response.body.decode()


TERMINATING = {"ready": False, "serving": True, "terminating": True}


@pytest.mark.parametrize(
    ("endpoints", "code", "count"),
    [
        ([], 503, 0),
        ([("10.244.1.1", "node-1", {})], 200, 1),  # both ports have it: it is one endpoint
        ([("10.244.1.1", "node-1", {}), ("10.244.1.2", "node-1", {"ready": True})], 200, 2),
        ([("10.244.2.1", "node-2", {})], 503, 0),
        ([("10.244.1.1", "node-1", {"ready": False}), ("10.244.2.1", "node-2", {})], 503, 0),
        ([("10.244.1.1", "node-1", TERMINATING)], 503, 0),  # it is still served, but asks for no more traffic
    ],
)
def test_a_node_says_whether_it_has_ready_endpoints(endpoints: list, code: int, count: int) -> None:
    state = synced(service(), endpoint_slice(*endpoints))
    got, headers, body = ask(state, "shop/web")
    assert got == code and headers["x-load-balancing-endpoint-weight"] == str(count)
    assert headers["content-type"] == "application/json" and headers["x-content-type-options"] == "nosniff"
    assert orjson.loads(body) == {
        "service": {"namespace": "shop", "name": "web"},
        "localEndpoints": count,
        "serviceProxyHealthy": True,
    }
    state.health.queued = 30 * SECOND
    assert ask(state, "shop/web", now=89 * SECOND)[0] == code
    assert (
        ask(state, "shop/web", now=90 * SECOND)[0] == 503
        and '"serviceProxyHealthy": false' in ask(state, "shop/web")[2]
    )


@pytest.mark.parametrize(
    ("made", "addresses"),
    [
        (service(), [""]),
        (service(policy="Cluster"), []),
        (service(kind="NodePort"), []),
        (service(healthCheckNodePort=0), []),
    ],
)
def test_only_a_local_load_balancer_has_a_port(made: dict, addresses: list[str]) -> None:
    state = synced(made)
    assert health.sockets(state, lambda: NODE) == (
        Listener("tcp", 10256, "kube-proxy", "healthz"),
        Listener("tcp", 10249, "kube-proxy", "metrics", "127.0.0.1"),
        *(Listener("tcp", 30999, "kube-proxy", "shop/web", address) for address in addresses),
    )


@pytest.mark.parametrize(
    ("mode", "given", "addresses"),
    [
        ("iptables", ("172.18.0.0/16",), ["172.18.0.11"]),
        ("iptables", ("192.0.2.0/24",), []),
        ("nftables", (), ["172.18.0.11"]),  # the primary address by default
        ("nftables", ("0.0.0.0/0",), [""]),
    ],
)
def test_the_port_is_bound_where_node_ports_are_taken(mode: str, given: tuple[str, ...], addresses: list[str]) -> None:
    options = ProxyOptions(node_ip="172.18.0.11", node_ips=("172.18.0.11",), mode=mode, nodeport_addresses=given)
    found = health.sockets(synced(service()), lambda: options)
    assert [one.address for one in found if one.port == 30999] == addresses


def test_a_service_that_goes_closes_its_port() -> None:
    state = synced(service(), endpoint_slice(("10.244.1.1", "node-1", {})))
    state.tracker.service(service(), None)
    health.look(state.health, state.tracker, "node-1", state.tracker.take_changes())
    assert len(health.sockets(state, lambda: NODE)) == 2


def test_probes_of_the_proxy_itself() -> None:
    state = synced(service())
    state.last_sync = 80 * SECOND
    code, _, body = ask(state, "healthz", "/healthz")
    moment = "2026-05-28 20:28:10 +0000 UTC m=+90.000000000"
    assert (code, orjson.loads(body)) == (200, {"lastUpdated": moment, "currentTime": moment, "nodeEligible": True})
    state.health.eligible = False
    assert ask(state, "healthz", "/healthz")[0] == 503 and ask(state, "healthz", "/livez")[0] == 200
    state.health.queued = 1
    code, _, body = ask(state, "healthz", "/livez")
    assert code == 503 and orjson.loads(body)["lastUpdated"].startswith("2026-05-28 20:28:00 ")
    assert ask(state, "healthz", "/metrics")[0] == 404
    page = ask(state, "metrics", "/metrics")[2]
    assert (
        'kubeproxy_proxy_healthz_total{code="503"} 1\n' in page
        and 'kubeproxy_proxy_livez_total{code="200"} 1\n' in page
    )
    assert "kubeproxy_sync_proxy_rules_last_timestamp_seconds 1.78000008e+09\n" in page
    assert ask(state, "metrics", "/proxyMode")[2] == "iptables" and ask(state, "metrics", "/healthz")[2] == "ok"


def test_services_without_local_endpoints_are_counted() -> None:
    far = synced(service(internalTrafficPolicy="Local"), endpoint_slice(("10.244.2.1", "node-2", {})))
    page = ask(far, "metrics", "/metrics")[2]
    assert 'no_local_endpoints_total{traffic_policy="external"} 2\n' in page  # one a port
    assert 'no_local_endpoints_total{traffic_policy="internal"} 2\n' in page
    assert (
        'traffic_policy="external"} 0\n' in ask(synced(service()), "metrics", "/metrics")[2]
    )  # nobody anywhere is not "none local"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (42, "42"), (0.5, "0.5"), (123456, "123456"), (1234567, "1.234567e+06"), (1e6, "1e+06"), (0.00001, "1e-05"), (-7e9, "-7e+09")],
)  # fmt: skip
def test_numbers_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert health.go_number(value) == text


def test_addresses_of_the_servers() -> None:
    assert health.bind_addresses(None) == {"healthz": ("", 10256), "metrics": ("127.0.0.1", 10249)}
    given = {"healthzBindAddress": "127.0.0.1", "metricsBindAddress": "0.0.0.0:9999"}
    assert health.bind_addresses(given) == {"healthz": ("127.0.0.1", 10256), "metrics": ("", 9999)}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("metricsBindAddress: example.com:10249", "must be a valid IP"),
        ("healthzBindAddress: 0.0.0.0:99999", "must be a valid port"),
        ("healthzBindAddress: 7", "healthzBindAddress"),
        ("ipvs: {excludeCIDRs: [10.0.0.0/99]}", "ExcludeCIDRs[0]"),
        ("ipvs: {excludeCIDRs: [1]}", "ipvs.excludeCIDRs"),
        ("ipvs: {tcpTimeout: soon}", "invalid duration"),
        ("ipvs: {udpTimeout: -5s}", "must be greater than or equal to 0"),
    ],
)
def test_what_no_kube_proxy_could_start_with(more: str, said: str) -> None:
    text = f"apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n{more}\n"
    with pytest.raises(CannotStart) as error:
        configuration({"config.conf": text})
    assert said in error.value.args[0][0][2]


def test_go_durations() -> None:
    assert [go_seconds(text) for text in ("0s", "15m0s", "1h30m", "1500ms", "0")] == [0, 900, 5400, 1, 0]
