"""A whole cluster, headless: the main job through the one door, and what time, faults and restarts do to it."""

import contextlib
from typing import get_args

import orjson
import pytest

from cluster.lab import (
    Entry,
    EtcdGatewayIn,
    EtcdOpIn,
    EtcdWatchIn,
    HostOp,
    HttpIn,
    Input,
    Lab,
    LinkIn,
    MemberAddIn,
    MemberOp,
    MemberPromoteIn,
    MemberRemoveIn,
    PacketIn,
    PartitionIn,
    ProcessOp,
    UnknownName,
    operations,
)
from cluster.lab.lab import ACTS
from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import ADMIN, NOBODY, Desk

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "nginx", "image": "nginx"}]},
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def test_every_kind_of_input_has_its_act() -> None:
    assert set(get_args(Input)) == set(ACTS)


@pytest.fixture(scope="module")
def booted() -> bytes:
    return Desk.boot().lab.checkpoint()


@pytest.fixture
def desk(booted) -> Desk:
    return Desk(Lab.restore(booted))


@pytest.fixture(scope="module")
def deployed(booted) -> tuple[bytes, int]:
    """A cluster with ``web`` running behind a Service, and the id of the request that created the Deployment."""
    desk = Desk(Lab.restore(booted))
    code, _ = desk.ask("POST", DEPLOYMENTS, WEB)
    assert code == 201
    request = desk.request
    assert desk.ask("POST", "/api/v1/namespaces/default/services", SERVICE)[0] == 201

    def serving():
        deployment = desk.get(f"{DEPLOYMENTS}/web")
        return deployment["status"].get("readyReplicas") == 3

    desk.until(serving)
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    return desk.lab.checkpoint(), request


def test_every_host_is_a_ready_node_and_the_system_runs(desk):
    nodes = desk.get("/api/v1/nodes")["items"]
    assert [n["metadata"]["name"] for n in nodes] == ["cp-1", "cp-2", "cp-3", "node-1", "node-2", "node-3"]
    desk.lab.run_until(desk.lab.now + 30 * SECOND)
    pods = desk.get("/api/v1/namespaces/kube-system/pods")["items"]
    assert {p["status"]["phase"] for p in pods} == {"Running"}
    assert {p["metadata"]["labels"].get("k8s-app") or p["metadata"]["labels"]["component"] for p in pods} == {
        "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-dns", "kube-proxy",
    }  # fmt: skip


def kinds(tree, found=None):
    found = found if found is not None else []
    for node in tree:
        found.append(node)
        kinds(node["children"], found)
    return found


def test_one_create_is_one_causal_tree_down_to_the_rules(deployed):
    desk = Desk(Lab.restore(deployed[0]))
    trace = desk.lab.query("request", id=deployed[1])
    names = [stage["name"] for stage in trace["stages"]]
    first = ["tls", "authentication", "audit", "impersonation", "priority-and-fairness", "authorization", "decoding"]
    assert names[:7] == first
    for stage in ("defaulting", "strategy", "validation", "etcd", "propose", "commit", "apply", "response"):
        assert stage in names
    assert {"append/m1", "append/m2", "append/m3"} <= set(names)
    assert any(name.startswith("mutating-admission/") for name in names)
    assert any(name.startswith("watch/") for name in names)
    assert all(stage["reason"] and stage["source"] for stage in trace["stages"])
    assert all(stage["endMicros"] >= stage["startMicros"] for stage in trace["stages"])
    everything = kinds(trace["tree"])
    requests = [(n["verb"], n["resource"]) for n in everything if n["kind"] == "request"]
    assert ("create", "replicasets") in requests
    assert requests.count(("create", "pods")) == 3
    assert requests.count(("create", "pods/binding")) == 3
    assert ("patch", "pods/status") in requests
    effects = {n["what"] for n in everything if n["kind"] == "effect"}
    assert {"schedule", "container", "image"} <= effects
    raw = trace["raw"]
    assert raw["requestHead"].startswith(f"POST {DEPLOYMENTS} HTTP/1.1") and '"kind":"Deployment"' in raw["requestBody"]


def test_the_service_is_rules_on_every_node_and_a_packet_finds_a_pod(deployed):
    desk = Desk(Lab.restore(deployed[0]))
    ips = {p["status"]["podIP"] for p in desk.get("/api/v1/namespaces/default/pods")["items"]}
    cluster_ip = desk.get("/api/v1/namespaces/default/services/web")["spec"]["clusterIP"]
    for row in desk.lab.query("nodes"):
        rules = desk.lab.query("rules", node=row["node"])
        assert f"-d {cluster_ip}/32" in rules and all(f"--to-destination {ip}:80" in rules for ip in ips)
    desk.lab.submit(PacketIn("p", "node-1", "web", "tcp", 80))
    walk = desk.drain()[-1].doc
    assert walk["verdict"] == "DNAT" and {e.split(":")[0] for e in walk["endpoints"]} == ips
    lines = desk.lab.query("rules", node="node-1").splitlines()
    for step in walk["steps"]:
        if step.get("rule", "").startswith("-A"):
            assert lines[step["line"] - 1] == step["rule"]
    slices = desk.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")["items"]
    caused = desk.lab.query("requests", limit=1000)
    assert slices and any(r["resource"] == "endpointslices" and r["initiator"] for r in caused)


def test_strangers_are_told_what_a_real_server_tells_them(desk):
    code, status = desk.ask("GET", "/", peer=NOBODY)
    assert (code, status["message"]) == (403, 'forbidden: User "system:anonymous" cannot get path "/"')
    code, status = desk.ask("GET", "/api/v1/nodes", peer=NOBODY, headers=(("authorization", "Bearer nonsense"),))
    assert (code, status["message"]) == (401, "Unauthorized")


def test_a_watch_streams_what_happens(desk):
    path = "/api/v1/namespaces/default/configmaps"
    revision = desk.get(path)["metadata"]["resourceVersion"]

    def create():
        for name in ("a", "b"):
            desk.send("POST", path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
            desk.lab.run_until(desk.lab.now + SECOND)

    events = desk.watch(f"{path}?watch=1&resourceVersion={revision}", 2, create)
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in events] == [("ADDED", "a"), ("ADDED", "b")]


def test_the_cluster_survives_its_leader(desk):
    leader = next(m["id"] for m in desk.lab.query("members") if m["role"] == "leader")
    desk.lab.submit(MemberOp(leader, "stop"))
    desk.lab.run_until(
        desk.lab.now + 10 * SECOND
    )  # an election, and the balancer's probes of the apiserver beside the dead member
    members = desk.lab.query("members", log="full")
    assert sum(m["role"] == "leader" for m in members) == 1 and not next(m for m in members if m["id"] == leader)["up"]
    code, _ = desk.ask(
        "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    )
    assert code == 201
    desk.lab.submit(MemberOp(leader, "start"))
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    assert len({m["kvDigest"] for m in desk.lab.query("members")}) == 1


def test_a_host_fails_as_a_unit_and_its_pods_move(deployed):
    desk = Desk(Lab.restore(deployed[0]))
    desk.lab.submit(HostOp("node-1", "stop"))
    desk.lab.run_until(desk.lab.now + 60 * SECOND)
    node = desk.get("/api/v1/nodes/node-1")
    ready = next(c for c in node["status"]["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "Unknown"
    desk.lab.run_until(desk.lab.now + 330 * SECOND)
    pods = [p for p in desk.get("/api/v1/namespaces/default/pods")["items"] if "deletionTimestamp" not in p["metadata"]]
    assert len(pods) == 3 and all(p["spec"]["nodeName"] != "node-1" for p in pods)
    desk.lab.submit(HostOp("node-1", "start"))
    desk.lab.run_until(desk.lab.now + 60 * SECOND)
    node = desk.get("/api/v1/nodes/node-1")
    assert next(c for c in node["status"]["conditions"] if c["type"] == "Ready")["status"] == "True"


def test_a_control_plane_host_fails_and_the_others_go_on(desk):
    desk.lab.submit(HostOp("cp-1", "stop"))
    desk.lab.run_until(desk.lab.now + 30 * SECOND)
    assert desk.ask("POST", DEPLOYMENTS, WEB)[0] == 201
    desk.until(lambda: desk.get(f"{DEPLOYMENTS}/web").get("status", {}).get("readyReplicas") == 3)


def test_a_partition_starves_the_minority_only(desk):
    desk.lab.submit(PartitionIn((("cp-1",), ("cp-2", "cp-3", "node-1", "node-2", "node-3", "lb", "desk"))))
    desk.lab.run_until(desk.lab.now + 15 * SECOND)
    members = {m["id"]: m for m in desk.lab.query("members")}
    assert members["m1"]["role"] != "leader"
    desk.lab.submit(EtcdOpIn("o1", "m1", "get", "k"))
    desk.lab.submit(EtcdOpIn("o2", "m2", "put", "k", "v"))
    desk.lab.run_until(desk.lab.now + 20 * SECOND)  # behind a round of the apiserver's own reads: twice 7 s
    ops = {op["id"]: op for op in desk.lab.query("ops")["ops"]}
    assert ops["o1"]["res"] == "fail" and ops["o2"]["res"] == "ok"
    assert desk.ask("GET", "/api/v1/nodes")[0] == 200


def test_unknown_names_are_refused_and_change_nothing(desk):
    for item in (MemberOp("m9", "stop"), HostOp("nowhere", "stop"), ProcessOp("x", "stop"), LinkIn("cp-1", "x", 5.0)):
        with pytest.raises(UnknownName):
            desk.lab.submit(item)
    desk.lab.submit(PacketIn("p", "nowhere", "web", "tcp", 80))
    assert "there is no" in desk.drain()[-1].doc["error"]


def test_a_restored_cluster_goes_on_byte_for_byte(deployed):
    def go_on(lab):
        desk = Desk(lab)
        desk.ask("DELETE", "/api/v1/namespaces/default/services/web")
        lab.run_until(lab.now + 20 * SECOND)
        middle = lab.checkpoint()
        lab.run_until(lab.now + 20 * SECOND)
        again = Lab.restore(middle)
        again.run_until(lab.now)
        assert again.digest() == lab.digest()
        return lab.digest()

    assert go_on(Lab.restore(deployed[0])) == go_on(Lab.restore(deployed[0]))


def test_a_bare_cluster_is_etcd_alone():
    desk = Desk.boot(bare=True, etcd_members=5)
    assert [m["id"] for m in desk.lab.query("members")] == ["m1", "m2", "m3", "m4", "m5"]
    desk.lab.submit(EtcdOpIn("a", "m3", "put", "k", "v"))
    desk.lab.run_until(desk.lab.now + SECOND)
    desk.lab.submit(EtcdOpIn("b", "m1", "get", "k"))
    desk.lab.run_until(desk.lab.now + SECOND)
    done = {op["id"]: op for op in desk.lab.query("ops")["ops"]}
    assert done["a"]["res"] == "ok" and done["b"]["out"]["value"] == "v"


def test_history_in_etcd_stays_bounded(desk):
    def kept():
        store = desk.lab.world.actors["m1"].state.app.store
        return store.revision - max(store.compacted, 0), store.revision

    desk.lab.run_until(desk.lab.now + 1500 * SECOND)
    history, revision = kept()
    assert history < revision / 2
    members = desk.lab.query("members")
    assert len({m["kvDigest"] for m in members}) == 1
    code, status = desk.ask("GET", "/api/v1/nodes?resourceVersion=10&resourceVersionMatch=Exact")
    assert (code, status["reason"]) == (410, "Expired")


def test_any_earlier_instant_can_be_made_again_and_gone_on_from_differently(booted):
    live, journal, moments = Desk(Lab.restore(booted)).lab, [], []
    for n in range(6):
        create = HttpIn(f"c{n}", 1, "POST", DEPLOYMENTS, body=orjson.dumps(WEB), peer=ADMIN,
                        headers=(("content-type", "application/json"),), remote="192.0.2.1:1")  # fmt: skip
        item = MemberOp("m2", "stop") if n == 3 else MemberOp("m9", "stop") if n == 4 else create
        journal.append(Entry(live.now, live.world.state.events, item))
        with contextlib.suppress(UnknownName):
            live.submit(item)
        live.run_until(live.now + 3 * SECOND + n)
        moments.append((live.now, live.digest()))
    for now, digest in moments:
        assert Lab.seek(booted, journal, now).digest() == digest
    fork = Lab.seek(booted, journal, moments[2][0])
    fork.submit(MemberOp("m1", "stop"))
    fork.run_until(moments[3][0])
    assert fork.digest() != moments[3][1] and live.digest() == moments[-1][1]


def call(desk, item):
    desk.lab.submit(item)
    answers = []

    def answered():
        answers.extend(o.doc for o in desk.drain() if getattr(o, "call", None) == item.call)
        return bool(answers) and answers[-1]["done"]

    desk.until(answered)
    return answers[-1]


def test_a_member_is_added_as_learner_promoted_and_another_removed():
    desk = Desk.boot(bare=True, etcd_members=3)
    desk.lab.run_until(desk.lab.now + 10 * SECOND)
    assert "members" in call(desk, MemberAddIn("a", "m4", learner=True))
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    assert "members" in call(desk, MemberPromoteIn("b", "m4"))
    leader = next(m["id"] for m in desk.lab.query("members") if m["role"] == "leader")
    other = next(m["id"] for m in desk.lab.query("members") if m["id"] not in (leader, "m4"))
    assert len(call(desk, MemberRemoveIn("c", other))["members"]) == 3
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    rows = {m["id"]: m for m in desk.lab.query("members")}
    assert not rows[other]["up"] and rows["m4"]["up"] and not rows["m4"]["learner"]
    again = Lab.restore(desk.lab.checkpoint())
    again.run_until(desk.lab.now + 5 * SECOND)
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    assert again.digest() == desk.lab.digest()
    with pytest.raises(UnknownName):
        desk.lab.submit(MemberAddIn("d", "m4"))


def test_claims_and_volumes_go_when_nobody_uses_them(desk):
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
        },
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "user"},
        "spec": {
            "containers": [{"name": "c", "image": "nginx"}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "spare"},
        "spec": {"capacity": {"storage": "1Mi"}, "accessModes": ["ReadOnlyMany"], "hostPath": {"path": "/x"}},
    }
    for path, doc in ((claims, claim), ("/api/v1/namespaces/default/pods", pod), ("/api/v1/persistentvolumes", volume)):
        assert desk.ask("POST", path, doc)[0] == 201
    desk.lab.run_until(desk.lab.now + 2 * SECOND)
    assert desk.ask("DELETE", f"{claims}/data")[0] == 200
    assert desk.ask("DELETE", "/api/v1/persistentvolumes/spare")[0] == 200
    desk.until(lambda: desk.ask("GET", "/api/v1/persistentvolumes/spare")[0] == 404)
    assert "deletionTimestamp" in desk.get(f"{claims}/data")["metadata"]  # the Pod still uses it
    desk.ask("DELETE", "/api/v1/namespaces/default/pods/user?gracePeriodSeconds=0")
    desk.until(lambda: desk.ask("GET", f"{claims}/data")[0] == 404)


def test_a_gateways_watch_can_be_cancelled() -> None:
    lab = Desk.boot(bare=True, etcd_members=3).lab
    lab.submit(EtcdGatewayIn("c1", "m1", "/v3/watch", b'{"create_request":{"key":"dw=="}}'))
    lab.run_until(lab.now + SECOND)
    assert lab.world.actors["m1"].state.hub.watchers
    lab.submit(EtcdWatchIn("c1", "m1", "cancel"))
    lab.submit(EtcdWatchIn("nobody", "m1", "cancel"))
    lab.run_until(lab.now + SECOND)
    assert not lab.world.actors["m1"].state.hub.watchers and not lab.state.calls
    last = lab.drain().outputs[-1]
    assert last.doc["body"]["result"]["canceled"] and last.doc["done"]


def test_a_cluster_in_nftables_mode_sends_packets_by_its_table() -> None:
    desk = Desk.boot(proxy_mode="nftables", workers=2)
    desk.type("kubectl create deployment web --image=nginx --replicas=2")
    desk.type("kubectl expose deployment web --port=80")

    def chains(node: str) -> int:
        lines = desk.lab.query("rules", node=node).splitlines()
        return sum("chain endpoint-" in line and "-default/web/" in line for line in lines)

    desk.until(lambda: chains("node-1") == chains("node-2") == 2)
    text = desk.lab.query("rules", node="node-1")
    assert text.startswith("table ip kube-proxy {") and "ip daddr 10.96.0.0/12 drop" in text
    desk.lab.submit(PacketIn("p", "node-2", "default/web", "tcp", 80))
    walk = desk.lab.drain().outputs[-1].doc
    assert walk["verdict"] == "DNAT" and len(walk["endpoints"]) == 2
    as_iptables = desk.lab.query("rules", node="node-1", mode="iptables")
    assert "KUBE-SVC-" in as_iptables and "default/web" in as_iptables
    with pytest.raises(ValueError, match="kernelspace"):
        desk.lab.query("rules", node="node-1", mode="kernelspace")


def test_old_operations_are_forgotten_and_cursors_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "OPS_KEPT", 20)
    desk = Desk.boot(bare=True)
    cursor, seen = 0, []
    for number in range(60):
        desk.lab.submit(EtcdOpIn(f"o{number}", "m1", "put", "k", str(number)))
        desk.lab.run_until(desk.lab.now + SECOND)
        answer = desk.lab.query("ops", done_since=cursor)
        cursor = answer["next"]
        seen += [op["id"] for op in answer["ops"]]
    assert seen == [f"o{number}" for number in range(60)] and cursor == 60
    assert len(desk.lab.state.ops) <= 22
    assert [op["id"] for op in desk.lab.query("ops")["ops"]][-20:] == seen[-20:]


@pytest.mark.parametrize("limits", [True, False])
def test_components_of_a_cluster_may_be_freed_of_their_request_limits(limits: bool) -> None:
    desk = Desk.boot(workers=1, control_planes=1, etcd_members=1, qps_limits=limits)
    scheduler = desk.lab.world.actors["kube-scheduler-cp-1"]
    manager = desk.lab.world.actors["kube-controller-manager-cp-1"]
    desk.type("kubectl create deployment web --image=nginx --replicas=1")
    desk.until(lambda: scheduler.state.scheduled > 0)
    assert bool(scheduler.state.buckets) == bool(manager.state.buckets) == limits
