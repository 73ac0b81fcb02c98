"""Endpoints, EndpointSlices, ServiceAccounts, their tokens and the root CA."""

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cluster.api import jwt
from cluster.controllers.endpoints import truncated
from cluster.controllers.endpointslice import EndpointSliceController, Plan
from tests.cluster.controllers.harness import DEPLOYMENTS, KEY, Bench, deployment

SERVICES = "/api/v1/namespaces/default/services"


def bench(**kwargs: bool) -> Bench:
    b = Bench(**kwargs)
    b.namespace()
    add_node(b)
    return b.start()


def add_node(b: Bench, name: str = "node-1", zone: str = "") -> None:
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    b.do("POST", "/api/v1/nodes", {"kind": "Node", "metadata": {"name": name, "labels": labels}, "status": NODE_STATUS})


NODE_STATUS = {"conditions": [{"type": "Ready", "status": "True"}]}


def service(name: str = "web-svc", **spec: object) -> dict[str, object]:
    ports = [{"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP"}]
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": ports, **spec}}


def test_slice_and_endpoints_follow_the_pods() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment())
    b.do("POST", SERVICES, service())
    b.settle()
    (s,) = b.all("endpointslices")
    (e,) = b.all("endpoints")
    assert s["metadata"]["generateName"] == "web-svc-" and s["addressType"] == "IPv4"
    assert s["metadata"]["labels"] == {
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": "web-svc",
    }
    assert s["ports"] == [{"name": "http", "protocol": "TCP", "port": 80}]
    assert len(s["endpoints"]) == 3
    assert s["endpoints"][0]["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert sorted(s["endpoints"][0]["targetRef"]) == ["kind", "name", "namespace", "uid"]
    (subset,) = e["subsets"]
    assert subset["ports"] == [{"name": "http", "port": 80, "protocol": "TCP"}]
    assert len(subset["addresses"]) == 3 and "labels" not in e["metadata"]
    b.do("PATCH", DEPLOYMENTS + "/web", {"spec": {"replicas": 1}})
    b.run(3)
    assert len(b.all("endpointslices")[0]["endpoints"]) == 1
    assert len(b.all("endpoints")[0]["subsets"][0]["addresses"]) == 1
    b.do("DELETE", SERVICES + "/web-svc")
    b.run(3)
    assert b.all("endpointslices") == [] and b.all("endpoints") == []


def test_service_without_pods_has_one_empty_slice() -> None:
    b = bench()
    b.do("POST", SERVICES, service())
    b.run(3)
    (s,) = b.all("endpointslices")
    assert s["endpoints"] == [] and s["ports"] == []
    assert b.all("endpoints")[0]["subsets"] == []


def test_more_than_a_hundred_endpoints_are_several_slices() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment(replicas=150))
    b.run(8)
    b.do("POST", SERVICES, service())
    b.settle(2)
    sizes = sorted(len(s["endpoints"]) for s in b.all("endpointslices"))
    assert sum(sizes) == 150 and max(sizes) <= 100


def test_a_slice_keeps_its_name_through_being_empty_and_other_ports() -> None:
    """What would be deleted beside a new one becomes that one."""
    b = bench()
    b.do("POST", SERVICES, service())
    b.run(3)
    (empty,) = b.all("endpointslices")
    b.do("POST", DEPLOYMENTS, deployment())
    b.settle()
    seen = [b.all("endpointslices")]
    b.do("PATCH", SERVICES + "/web-svc", {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
    b.run(3)
    seen.append(b.all("endpointslices"))
    b.do("PATCH", DEPLOYMENTS + "/web", {"spec": {"replicas": 0}})
    b.run(3)
    seen.append(b.all("endpointslices"))
    assert [[s["metadata"]["name"] for s in slices] for slices in seen] == [[empty["metadata"]["name"]]] * 3
    assert [(len(s["endpoints"]), [p["port"] for p in s["ports"]]) for (s,) in seen] == [
        (3, [80]),
        (3, [8080]),
        (0, []),
    ]
    assert not b.requests("DELETE", "/endpointslices/")


@pytest.mark.parametrize(
    ("there", "new", "sizes", "created"),
    [
        ((60, 90), 10, (60, 100), ()),  # into the one that is fullest then, and the other isn't written
        ((60, 90), 40, (100, 90), ()),
        ((60, 90), 45, (60, 90), (45,)),  # in no one of them there is room for all
        ((60, 90), 150, (60, 90), (100, 50)),
        ((60, 90), 120, (80, 90), (100,)),  # what is left after a full one fits
    ],
)
def test_new_endpoints_go_into_one_slice_with_room_for_all_or_into_new_ones(
    there: tuple[int, ...], new: int, sizes: tuple[int, ...], created: tuple[int, ...]
) -> None:
    ends = [{"targetRef": {"uid": f"u{n}"}} for n in range(sum(there) + new)]
    owner, slices, at = service(), [], 0
    for number, size in enumerate(there):
        meta = {"name": f"s{number}", "labels": EndpointSliceController._labels(owner)}
        slices.append({"metadata": meta, "endpoints": ends[at : at + size], "ports": []})
        at += size
    plan = Plan()
    EndpointSliceController._group(EndpointSliceController.__new__(EndpointSliceController), owner, [], {
        one["targetRef"]["uid"]: one for one in ends
    }, slices, plan)  # fmt: skip
    written = {entry["metadata"]["name"]: len(kept) for entry, _, kept in plan.update}
    assert tuple(written.get(f"s{n}", size) for n, size in enumerate(there)) == sizes
    assert len(written) == sum(a != b for a, b in zip(there, sizes, strict=True))
    assert tuple(len(kept) for _, kept in plan.create) == created and not plan.delete


def test_slices_of_a_service_that_is_gone_are_not_written_on() -> None:
    b = bench()
    b.do("POST", SERVICES, service())
    b.run(3)
    (mine,) = b.all("endpointslices")
    meta = {
        **mine["metadata"],
        "name": "web-svc-old",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web-svc", "uid": "before"}],
    }
    b.do("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {**mine, "metadata": meta})
    b.run(3)
    assert [s["metadata"]["name"] for s in b.all("endpointslices")] == [mine["metadata"]["name"]]


def test_prefer_close_hints_ready_endpoints_with_their_zone() -> None:
    b = bench()
    add_node(b, "node-a", "a")
    b.do("POST", DEPLOYMENTS, deployment(replicas=1))
    b.do("POST", SERVICES, service())
    b.do("POST", SERVICES, service("close", trafficDistribution="PreferClose"))
    auto = service("auto", trafficDistribution="PreferClose")
    auto["metadata"] = {"name": "auto", "annotations": {"service.kubernetes.io/topology-mode": "Auto"}}
    b.do("POST", SERVICES, auto)
    b.settle(node="node-a")

    def hints() -> dict[str, object]:
        slices = b.all("endpointslices")
        return {s["metadata"]["generateName"]: s["endpoints"][0].get("hints") for s in slices}

    close = {"forZones": [{"name": "a"}]}
    assert hints() == {"web-svc-": None, "close-": close, "auto-": None}
    b.do("PATCH", SERVICES + "/web-svc", {"spec": {"trafficDistribution": "PreferClose"}})
    b.do("PATCH", SERVICES + "/close", {"spec": {"trafficDistribution": None}})
    b.run(3)
    assert hints() == {"web-svc-": close, "close-": None, "auto-": None}
    (pod,) = b.all("pods")
    status = {"status": {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": b.stamp()}]}}
    b.do("PATCH", f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}/status", status)
    b.run(3)
    assert hints() == {"web-svc-": None, "close-": None, "auto-": None}, "only what is ready has one"


def test_a_pod_on_a_node_that_is_not_there_is_left_out_until_it_is() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment(replicas=1))
    b.do("POST", SERVICES, service())
    b.do("POST", SERVICES, service("early", publishNotReadyAddresses=True))
    b.settle(2, node="node-9")

    def counts() -> dict[str, int]:
        return {s["metadata"]["generateName"]: len(s["endpoints"]) for s in b.all("endpointslices")}

    assert counts() == {"web-svc-": 0, "early-": 1}
    add_node(b, "node-9")
    b.run(30)
    assert counts() == {"web-svc-": 1, "early-": 1}


def test_a_pod_becomes_an_endpoint_once_for_all_services(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    new = EndpointSliceController._new_endpoint
    monkeypatch.setattr(
        EndpointSliceController,
        "_new_endpoint",
        lambda self, *args: (made.append(args[3]["metadata"]["uid"]), new(*args))[1],
    )
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment())
    b.do("POST", SERVICES, service())
    b.settle()
    before = len(made)
    for number in range(5):
        b.do("POST", SERVICES, service(f"more-{number}"))
    b.do("POST", SERVICES, service("early", publishNotReadyAddresses=True))
    b.settle()
    slices = b.all("endpointslices")
    assert len(slices) == 7 and all(len(s["endpoints"]) == 3 for s in slices)
    assert len(set(made)) == 3 and len(made) - before <= 6


def test_a_pod_becomes_an_endpoint_once_for_each_family(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    new = EndpointSliceController._new_endpoint
    monkeypatch.setattr(
        EndpointSliceController,
        "_new_endpoint",
        lambda self, *args: (made.append(f"{args[0]} {args[3]['metadata']['uid']}"), new(*args))[1],
    )
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment())
    b.settle()
    for number in range(4):
        b.do("POST", SERVICES, service(f"both-{number}", ipFamilies=["IPv4", "IPv6"]))
    b.settle()
    assert len(b.all("endpointslices")) == 8
    assert len(made) == len(set(made)) == 6


def test_default_account_and_root_ca_in_every_namespace() -> None:
    b = bench()
    b.namespace("gold")
    b.run(1)
    assert b.get("/api/v1/namespaces/gold/serviceaccounts/default") is not None
    assert b.get("/api/v1/namespaces/gold/configmaps/kube-root-ca.crt")["data"] == {"ca.crt": "-----CA-----\n"}
    b.do("DELETE", "/api/v1/namespaces/gold/serviceaccounts/default")
    b.do("DELETE", "/api/v1/namespaces/gold/configmaps/kube-root-ca.crt")
    b.run(1)
    assert b.get("/api/v1/namespaces/gold/serviceaccounts/default") is not None
    assert b.get("/api/v1/namespaces/gold/configmaps/kube-root-ca.crt") is not None
    assert b.all("secrets") == []


def test_legacy_token_of_the_default_account() -> None:
    b = bench(legacy_tokens=True)
    b.run(3)
    account = b.get("/api/v1/namespaces/default/serviceaccounts/default")
    (listed,) = account["secrets"]
    secret = b.get(f"/api/v1/namespaces/default/secrets/{listed['name']}")
    assert listed["name"].startswith("default-token-")
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.verify(b64decode(secret["data"]["token"]).decode(), public)
    assert claims["sub"] == "system:serviceaccount:default:default"
    assert claims["kubernetes.io/serviceaccount/secret.name"] == listed["name"]
    b.run(600)
    assert len(b.all("secrets")) == 1


def test_annotated_secret_is_filled_and_goes_with_its_account() -> None:
    b = bench()
    accounts, secrets = "/api/v1/namespaces/default/serviceaccounts", "/api/v1/namespaces/default/secrets"
    b.do("POST", accounts, {"kind": "ServiceAccount", "metadata": {"name": "robot"}})
    doc = {
        "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "robot-secret", "annotations": {"kubernetes.io/service-account.name": "robot"}},
    }  # fmt: skip
    b.do("POST", secrets, doc)
    b.run(2)
    assert sorted(b.get(secrets + "/robot-secret")["data"]) == ["ca.crt", "namespace", "token"]
    b.do("DELETE", accounts + "/robot")
    b.run(2)
    assert b.get(secrets + "/robot-secret") is None


def address(n: int) -> dict[str, str]:
    return {"ip": f"10.0.{n // 250}.{n % 250}"}


@pytest.mark.parametrize(
    ("ready", "waiting", "kept"),
    [
        ([500, 500], [0, 0], None),
        ([700, 500], [10, 0], ([584, 416], [0, 0])),
        ([900, 0], [100, 50], ([900, 0], [67, 33])),
        ([1000], [1], ([1000], [0])),
        ([1], [2000], ([1], [999])),
    ],
)
def test_too_many_endpoints_are_cut_in_proportion_ready_ones_first(
    ready: list[int], waiting: list[int], kept: tuple | None
) -> None:
    """The figures are upstream's rule: each subset's share rounded up, the last one gets what is left."""
    subsets = [
        {
            "addresses": [address(k) for k in range(r)],
            "notReadyAddresses": [address(k) for k in range(w)],
            "ports": [{"port": n + 1}],
        }
        for n, (r, w) in enumerate(zip(ready, waiting, strict=True))
    ]
    cut = truncated(subsets)
    sizes = cut and tuple([len(one.get(name) or ()) for one in cut] for name in ("addresses", "notReadyAddresses"))
    assert sizes == kept
    assert cut is None or [one["ports"] for one in cut] == [one["ports"] for one in subsets]


def test_a_pod_without_one_of_the_ports_stands_apart_for_that_one_only() -> None:
    b = bench()
    ports = [{"name": "http", "port": 80, "targetPort": 80}, {"name": "more", "port": 90, "targetPort": "more"}]
    b.do("POST", SERVICES, service(ports=ports))
    for name, extra in (("a", [{"name": "more", "containerPort": 9090}]), ("b", [])):
        container = {"name": "main", "image": "nginx", "ports": extra}
        b.do("POST", "/api/v1/namespaces/default/pods", {"kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}}, "spec": {"containers": [container]}})  # fmt: skip
    b.settle()
    (e,) = b.all("endpoints")
    told = [([p["port"] for p in s["ports"]], [a["targetRef"]["name"] for a in s["addresses"]]) for s in e["subsets"]]
    assert sorted(told) == [([80], ["a", "b"]), ([9090], ["a"])]
    assert "endpoints.kubernetes.io/over-capacity" not in e["metadata"]["annotations"]


def test_a_subset_of_too_many_is_mirrored_in_part_and_said() -> None:
    b = bench()
    b.do("POST", SERVICES, service("hand", selector=None))
    addresses = [address(k) for k in range(1003)]
    subsets = [
        {"addresses": addresses[:3], "ports": [{"port": 80}]},
        {"addresses": addresses[3:], "ports": [{"port": 80}]},
    ]
    b.do(
        "POST",
        "/api/v1/namespaces/default/endpoints",
        {"kind": "Endpoints", "metadata": {"name": "hand"}, "subsets": subsets},
    )
    b.settle()
    (s,) = b.all("endpointslices")
    assert len(s["endpoints"]) == 1000, "the same ports: one slice"
    more = [{"addresses": addresses, "ports": [{"port": 80}]}]
    known = b.all("endpoints")[0]
    b.do("PUT", "/api/v1/namespaces/default/endpoints/hand", {**known, "subsets": more})
    b.settle()
    assert b.events("TooManyAddressesToMirror") == [
        "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 3 addresses were skipped"
    ]


def test_endpoints_written_by_hand_are_mirrored() -> None:
    b = bench()
    doc = service("outside")
    doc["spec"].pop("selector")  # type: ignore[attr-defined]
    b.do("POST", SERVICES, doc)
    path = "/api/v1/namespaces/default/endpoints"
    subset = {"addresses": [{"ip": "192.0.2.7"}], "ports": [{"name": "http", "port": 8080}]}
    b.do("POST", path, {"kind": "Endpoints", "metadata": {"name": "outside"}, "subsets": [subset]})
    (s,) = b.all("endpointslices")
    assert (
        s["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslicemirroring-controller.k8s.io"
    )
    assert s["endpoints"] == [{"addresses": ["192.0.2.7"], "conditions": {"ready": True}}]
    b.do("PATCH", path + "/outside", {"subsets": [{**subset, "addresses": [{"ip": "192.0.2.8"}]}]})
    (s,) = b.all("endpointslices")
    assert s["endpoints"][0]["addresses"] == ["192.0.2.8"]
    b.do("DELETE", path + "/outside")
    b.run(2)
    assert b.all("endpointslices") == []
