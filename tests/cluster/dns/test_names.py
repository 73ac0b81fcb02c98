"""The cluster's names, a row a question, as the DNS specification of Kubernetes lists them."""

from typing import Any

import pytest

from cluster.dns.names import Objects, answer


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def piece(name: str, *endpoints: dict[str, Any]) -> dict[str, Any]:
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    return {"metadata": {"name": f"{name}-x", "namespace": "default"}, "ports": ports, "endpoints": list(endpoints)}


def end(ip: str, ready: bool = True, **more: Any) -> dict[str, Any]:
    return {"addresses": [ip], "conditions": {"ready": ready}, **more}


PORTS = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "admin", "port": 81, "protocol": "TCP"}]
OBJECTS = Objects(
    {
        "default/web": service("web", clusterIP="10.96.0.50", clusterIPs=["10.96.0.50"], ports=PORTS),
        "default/db": service("db", clusterIP="None", clusterIPs=["None"], ports=PORTS[:1]),
        "default/all": service("all", clusterIP="None", publishNotReadyAddresses=True, ports=PORTS[:1]),
        "default/gone": service("gone", type="ExternalName", externalName="db.example.com"),
    },
    {
        "default/web": (piece("web", end("10.244.1.9")),),
        "default/db": (piece("db", end("10.244.1.2", hostname="db-0"), end("10.244.2.3"), end("10.244.2.4", False)),),
        "default/all": (piece("all", end("10.244.2.4", False)),),
    },
    frozenset(("default", "kube-system")),
)
Z = "cluster.local"
ROWS = [
    (f"web.default.svc.{Z}", "A", "NOERROR", ["10.96.0.50"]),
    (f"WEB.default.svc.{Z}.", "A", "NOERROR", ["10.96.0.50"]),
    (f"web.default.svc.{Z}", "AAAA", "NOERROR", []),
    (f"nope.default.svc.{Z}", "A", "NXDOMAIN", []),
    (f"web.nowhere.svc.{Z}", "A", "NXDOMAIN", []),
    (f"default.svc.{Z}", "A", "NOERROR", []),
    (f"svc.{Z}", "A", "NOERROR", []),
    (f"db.default.svc.{Z}", "A", "NOERROR", ["10.244.1.2", "10.244.2.3"]),
    (f"all.default.svc.{Z}", "A", "NOERROR", ["10.244.2.4"]),
    (f"db-0.db.default.svc.{Z}", "A", "NOERROR", ["10.244.1.2"]),
    (f"10-244-2-3.db.default.svc.{Z}", "A", "NOERROR", ["10.244.2.3"]),
    (f"10-244-1-2.db.default.svc.{Z}", "A", "NXDOMAIN", []),
    (f"_http._tcp.web.default.svc.{Z}", "SRV", "NOERROR", [f"0 100 80 web.default.svc.{Z}."]),
    (f"_admin._tcp.web.default.svc.{Z}", "SRV", "NOERROR", [f"0 100 81 web.default.svc.{Z}."]),
    (f"_nope._tcp.web.default.svc.{Z}", "SRV", "NXDOMAIN", []),
    (f"_http._tcp.db.default.svc.{Z}", "SRV", "NOERROR",
     [f"0 50 8080 db-0.db.default.svc.{Z}.", f"0 50 8080 10-244-2-3.db.default.svc.{Z}."]),
    (f"gone.default.svc.{Z}", "A", "NOERROR", ["db.example.com."]),
    (f"10-244-1-2.default.pod.{Z}", "A", "NOERROR", ["10.244.1.2"]),
    (f"10-244-1-2.nowhere.pod.{Z}", "A", "NXDOMAIN", []),
    ("50.0.96.10.in-addr.arpa", "PTR", "NOERROR", [f"web.default.svc.{Z}."]),
    ("2.1.244.10.in-addr.arpa", "PTR", "NOERROR", [f"db-0.db.default.svc.{Z}."]),
    (f"dns-version.{Z}", "TXT", "NOERROR", ['"1.1.0"']),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "code", "data"), ROWS)
def test_a_name(name: str, kind: str, code: str, data: list[str]) -> None:
    found = answer(name, kind, OBJECTS)
    assert (found.code, [record.data for record in found.answers]) == (code, data)
    assert bool(found.authority) == (not data), "what has no answer has the zone's SOA, for negative caching"


def test_an_srv_answer_brings_the_addresses_with_it() -> None:
    found = answer(f"_http._tcp.db.default.svc.{Z}", "SRV", OBJECTS)
    assert [record.data for record in found.extra] == ["10.244.1.2", "10.244.2.3"]


def test_other_names_are_somebody_elses() -> None:
    assert not answer("example.com", "A", OBJECTS).ours
    assert not answer("9.9.9.9.in-addr.arpa", "PTR", OBJECTS).ours
