"""What the drawings promise, without a browser: names keep their suffix, places hold, the quorum adds up, the walk finds its lines."""

from __future__ import annotations

import pytest

from explainer.fragments import (
    causes_view,
    log_drawing,
    map_drawing,
    map_parts,
    names,
    ring_drawing,
    rules_view,
    trace_view,
)
from explainer.pages.templatetags import map_tags
from tests.browser import etcd_world, fixture_world


@pytest.mark.parametrize(
    ("name", "room", "short"),
    [
        ("web", 10, "web"),
        ("web-7d4b9c6f5d-x2k9f", 14, "web-7d4…-x2k9f"),
        ("averyverylongnamewithoutdashes", 9, "aver…shes"),
        ("a-b-averyverylongsuffix", 8, "a-b-…fix"),
    ],
)
def test_cut_keeps_the_suffix(name: str, room: int, short: str) -> None:
    assert names.cut(name, room) == short
    assert len(short) <= room


@pytest.mark.parametrize(
    ("name", "room", "tail"),
    [
        ("/api/v1/nodes", 24, ""),
        ("/api/v1/namespaces/default/pods/web-6dc5cd68db-h2mcg", 24, "db-h2mcg"),
        ("/api/v1/namespaces/default/pods/web-6dc5cd68db-h2mcg/status", 24, "-h2mcg/status"),
        ("/apis/apps/v1/namespaces/kube-system/deployments", 24, "/deployments"),
        ("create pods/web-6dc5cd68db-h2mcg", 12, "db-h2mcg"),
    ],
)
def test_what_tells_names_apart_stays(name: str, room: int, tail: str) -> None:
    assert names.parted(name, room) == (name.removesuffix(tail), tail)


def test_users_of_nodes_are_told_apart_by_the_node() -> None:
    assert names.parted_user("system:node:node-1") == ("system:node:", "node-1")
    assert names.parted_user("deployment-controller") == ("deployment-controller", "")


@pytest.mark.parametrize("height", range(40, 140))
def test_a_boxs_name_stands_above_its_border(height: int) -> None:
    for kind in ("kube-apiserver", "etcd"):
        box = map_parts.Box("x", kind, 0, 0, 110, height, "apiserver")
        assert map_tags.glyph_at(box)["ty"] <= height - 6


def test_times() -> None:
    assert names.instant(3_723_004_000) == "1:02:03.004"
    assert [names.span(v) for v in (850, 1_250, 45_600, 2_400_000, None)] == [
        "850 µs",
        "1.25 ms",
        "45.6 ms",
        "2.40 s",
        "–",
    ]
    assert [names.speed(v) for v in (1.0, 0.001, 10, "max")] == ["×1", "×1/1000", "×10", "max"]


def test_only_apiservers_have_a_line_to_etcd() -> None:
    drawing = map_drawing.draw(fixture_world.cluster_map())
    kinds = {box.id: box.kind for box in drawing.boxes}
    to_etcd = {kinds[link.a] for link in drawing.links if kinds.get(link.b) == "etcd"}
    assert to_etcd == {"kube-apiserver", "etcd"}


@pytest.mark.parametrize("screen", [False, True])
def test_boxes_of_a_host_do_not_touch(screen: bool) -> None:
    boxes = map_drawing.draw(fixture_world.cluster_map(), screen).boxes
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = a.right <= b.x or b.right <= a.x or a.bottom <= b.y or b.bottom <= a.y
            assert apart, (a.id, b.id)


@pytest.mark.parametrize("count", [1, 8, 9, 30, 110])
def test_every_pod_has_a_slot_of_its_own_inside_its_node(count: int) -> None:
    model = fixture_world.cluster_map()
    pod = next(p for p in model["pods"] if p["node"] == "node-1")
    model["pods"] = [{**pod, "name": f"web-7d4b9c6f5d-{i:05}", "uid": str(i)} for i in range(count)]
    node = next(n for n in map_drawing.draw(model).nodes if n.id == "node-1")
    places = {(p.x, p.y) for p in node.pods}
    assert len(places) == count
    assert all(
        node.x <= x and x + p.size <= node.right and y + p.size <= node.bottom + 1
        for p in node.pods
        for x, y in [(p.x, p.y)]
    )


@pytest.mark.parametrize("planes", [1, 2, 5])
def test_other_topologies_are_drawn(planes: int) -> None:
    model = fixture_world.cluster_map()
    keep = [h for h in model["hosts"] if h["role"] != "control-plane"]
    template = next(h for h in model["hosts"] if h["role"] == "control-plane")
    hosts = []
    for i in range(planes):
        processes = [
            {**p, "name": p["name"].replace("cp-1", f"cp-{i + 1}").replace("m1", f"m{i + 1}")}
            for p in template["processes"]
        ]
        hosts.append({**template, "name": f"cp-{i + 1}", "processes": processes})
    drawing = map_drawing.draw({**model, "hosts": hosts + keep})
    assert len([box for box in drawing.boxes if box.kind == "kube-apiserver"]) == planes


def test_quorum() -> None:
    model = etcd_world.bench()
    whole = {"voters": 3, "have": 3, "need": 2, "may_lose": 1, "short": 0, "apart": False}
    assert ring_drawing.quorum(model) == whole
    down = [{**member, "up": member["id"] == "m1"} for member in model["members"]]
    short = {"voters": 3, "have": 1, "need": 2, "may_lose": 0, "short": 1, "apart": False}
    assert ring_drawing.quorum({"clusters": etcd_world.formed(down)}) == short


def test_log_cells_tell_committed_stored_and_missing() -> None:
    grid = log_drawing.logs(etcd_world.bench())
    by_member = {row["member"]["id"]: {cell["index"]: cell["state"] for cell in row["cells"]} for row in grid["rows"]}
    assert by_member["m1"][811] == "committed"
    assert by_member["m1"][813] == "missing"
    assert by_member["m2"][813] == "stored"


def test_steps_put_what_happens_inside_etcd_under_it() -> None:
    steps = trace_view.steps(fixture_world.request(4060))
    names_of = [step["name"] for step in steps]
    at = names_of.index("etcd")
    assert names_of[at + 1 : at + 7] == ["propose", "append/m2", "append/m1", "append/m3", "commit", "apply"]
    assert [step["number"] for step in steps] == list(range(1, len(steps) + 1))
    assert all(float(step["x"][:-1]) + float(step["w"][:-1]) <= 100.7 for step in steps)


def test_a_request_that_never_reached_etcd_keeps_its_order() -> None:
    steps = trace_view.steps(fixture_world.request(4102))
    assert [step["name"] for step in steps] == ["tls", "authentication", "audit", "authorization", "response"]
    assert (trace_view.decided(fixture_world.request(4102)) or {})["name"] == "authorization"


def test_the_tree_counts_everything_it_caused() -> None:
    nodes, count = causes_view.tree(fixture_world.request(4060))
    assert (len(nodes), count) == (2, 8)


def test_rules_of_a_service_are_found_by_name_and_by_chain() -> None:
    rows = rules_view.lines(fixture_world.rules("node-1"))
    service = next(s for s in fixture_world.cluster_map()["services"] if s["name"] == "web")
    picked = rules_view.about(rows, service)
    texts = [row["text"] for row in rows if row["number"] in picked]
    assert any("--to-destination 10.244.1.2:8080" in text for text in texts)
    assert not any("kubernetes:https" in text for text in texts)
    assert {row["table"] for row in rows if row["kind"] == "rule"} == {"filter", "nat"}


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("txn if mod(/registry/pods/default/web)=0 then put /registry/pods/default/web={…}", "create pods default/web"),
        (
            "txn if mod(/registry/leases/kube-system/a)=7 then put /registry/leases/kube-system/a={…}",
            "update leases kube-system/a",
        ),
        ("txn if mod(/registry/pods/default/web)=9 then delete /registry/pods/default/web", "delete pods default/web"),
        ("txn if mod(/registry/minions/cp-1)=0 then put /registry/minions/cp-1={…}", "create nodes cp-1"),
        (
            "txn if mod(/registry/services/specs/default/web)=0 then put /registry/services/specs/default/web={…}",
            "create services default/web",
        ),
        ("put /registry/masterleases/172.18.0.2={…}", "write masterleases 172.18.0.2"),
        ("lease grant 421d 15s", "lease grant 421d 15s"),
    ],
)
def test_an_entry_in_one_line(entry: str, line: str) -> None:
    assert log_drawing.line(entry) == line


def test_a_virtual_server_and_a_set_stand_as_chains_of_their_own() -> None:
    text = (
        "# ipset save\ncreate KUBE-CLUSTER-IP hash:ip,port family inet\nadd KUBE-CLUSTER-IP 10.96.0.1,tcp:443\n"
        "add KUBE-CLUSTER-IP 10.96.0.10,tcp:53\n# ipvsadm-save -n\n-A -t 10.96.0.1:443 -s rr\n"
        "-a -t 10.96.0.1:443 -r 172.18.0.2:6443 -m -w 1\n-A -u 10.96.0.10:53 -s rr\n# iptables-save\n*nat\n-A OUTPUT -j X\nCOMMIT\n"
    )
    rows = rules_view.lines(text)
    found = {(row["table"], row["chain"], row["kind"]) for row in rows if row["chain"]}
    assert found == {
        ("ipset", "KUBE-CLUSTER-IP", "chain"),
        ("ipset", "KUBE-CLUSTER-IP", "rule"),
        ("ipvs", "tcp 10.96.0.1:443", "chain"),
        ("ipvs", "tcp 10.96.0.1:443", "rule"),
        ("ipvs", "udp 10.96.0.10:53", "chain"),
        ("nat", "OUTPUT", "rule"),
    }
    service = {"namespace": "default", "name": "kubernetes", "clusterIP": "10.96.0.1"}
    assert rules_view.about(rows, service) == {3, 6, 7}
