"""The arithmetic of quorums against the reference's table, and against counting every case."""

from itertools import product

import pytest

from explainer.api.again import cleaned, wanted
from explainer.fragments import availability, ha_drawing


@pytest.mark.parametrize(
    ("members", "one", "five"),
    [(1, 1.0, 5.0), (2, 1.99, 9.75), (3, 0.0298, 0.725), (4, 0.0592, 1.4019), (5, 0.00099, 0.1158), (6, 0.00196, 0.2230),
     (7, 0.00003, 0.0194), (8, 0.00007, 0.0372), (9, 0.0, 0.0033)],
)  # fmt: skip
def test_sizes_as_in_the_reference(members, one, five):
    assert 100 * (1 - availability.etcd(members, 0.01)) == pytest.approx(one, abs=5.1e-6)
    assert 100 * (1 - availability.etcd(members, 0.05)) == pytest.approx(five, abs=5.1e-5)


def test_layouts_as_in_the_reference():
    up = [100 * availability.control_plane(*layout, 0.01) for layout in ((3, 0, 0), (0, 2, 3), (0, 3, 3), (5, 0, 0))]
    assert [round(share, 4) for share in up] == [99.9702, 99.9602, 99.9701, 99.9990]


@pytest.mark.parametrize("layout", [(1, 0, 0), (2, 1, 0), (3, 0, 2), (0, 2, 4), (1, 2, 3)])
def test_layouts_by_counting_every_case(layout):
    shared, servers, members = layout
    p, total = 0.2, 0.0
    for case in product((True, False), repeat=sum(layout)):
        both, only, store = case[:shared], case[shared : shared + servers], case[shared + servers :]
        if sum(both) + sum(store) >= availability.quorum(shared + members) and (any(both) or any(only)):
            up = sum(case)
            total += (1 - p) ** up * p ** (len(case) - up)
    assert availability.control_plane(*layout, p) == pytest.approx(total)


def host(name, *processes):
    return {
        "name": name,
        "role": "control-plane",
        "up": True,
        "paused": False,
        "processes": [{"name": p, "kind": ""} for p in processes],
    }


def state(hosts, members, servers, have, need):
    return {
        "bare": False,
        "hosts": hosts,
        "members": [{"id": name, "up": True, "paused": False, "learner": False} for name in members],
        "apiservers": [{"name": name, "up": True} for name in servers],
        "quorum": {"have": have, "need": need},
    }


def test_hosts_that_may_still_fail():
    stacked = [host(f"cp-{n}", f"m{n}", f"a{n}") for n in (1, 2, 3)]
    assert ha_drawing.may_lose_hosts(state(stacked, ["m1", "m2", "m3"], ["a1", "a2", "a3"], 3, 2)) == 1
    assert ha_drawing.may_lose_hosts(state(stacked, ["m1", "m2", "m3"], ["a1", "a2", "a3"], 2, 2)) == 0
    assert ha_drawing.may_lose_hosts(state(stacked, ["m1"], ["a1"], 1, 2)) is None
    outer = [host("cp-1", "a1"), *[host(f"etcd-{n}", f"m{n}") for n in range(1, 6)]]
    assert ha_drawing.may_lose_hosts(state(outer, ["m1", "m2", "m3", "m4", "m5"], ["a1"], 5, 3)) == 0


def test_what_is_copied_to_another_cluster():
    service = {"kind": "Service", "metadata": {"name": "web", "namespace": "default", "uid": "1", "resourceVersion": "9"},
               "spec": {"clusterIP": "10.96.1.2", "clusterIPs": ["10.96.1.2"], "ports": [{"port": 80}]}, "status": {}}  # fmt: skip
    assert cleaned("services", service) == {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ports": [{"port": 80}]},
    }
    assert wanted("services", service)
    assert not wanted("services", {"metadata": {"name": "kubernetes", "namespace": "default"}})
    assert not wanted("pods", {"metadata": {"name": "web-1", "namespace": "default", "ownerReferences": [{}]}})
    assert not wanted("configmaps", {"metadata": {"name": "kube-proxy", "namespace": "kube-system"}})
