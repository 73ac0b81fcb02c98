"""The client layers against a small apiserver in a real World."""

from itertools import pairwise
from typing import Any

from cluster.clientgo import ApiClient, ClientConfig, ClientState, key_of
from cluster.clientgo.reflector import WATCH_SILENCE
from cluster.sim import MILLISECOND, SECOND, World
from cluster.sim.clock import HOUR
from cluster.wire.http import HttpRequest, TlsPeer
from tests.cluster.clientgo.fake_apiserver import EPOCH, FakeApiServer, FakeConfig


class Seen(ClientState):
    told: list[tuple[str, str, int]] = []
    runs: list[tuple[str, int, int]] = []
    fail: int = 0


class Client(ApiClient):
    kind = "client"

    def fresh(self) -> Seen:
        return Seen()

    def boot(self, disk: list[Any], now: int, out: Any) -> None:
        super().boot(disk, now, out)
        self.watch_resource(out, "configmaps", "/api/v1/configmaps", indexes=("namespace",))

    def on_configmaps(self, event_type: str, old: Any, new: Any, now: int, out: Any) -> None:
        self.state.told.append((event_type, key_of(new), out.cause))
        self.enqueue(out, "", key_of(new))

    def reconcile(self, key: str, now: int, out: Any) -> None:
        self.state.runs.append((key, now, out.cause))
        if self.state.fail:
            self.request(out, "POST", "/api/v1/namespaces/x/secrets", doc={"metadata": {"name": "s"}, "spec": {}})


class Candidate(ApiClient):
    kind = "kube-scheduler"

    def boot(self, disk: list[Any], now: int, out: Any) -> None:
        super().boot(disk, now, out)
        self.campaign(out, "kube-system", "kube-scheduler", f"{self.name}_{out.dice.uuid()}")


def world(*clients: str, kind: str = "client") -> World:
    w = World.new(
        1, 500_000, 1_500_000, {"kube-apiserver": FakeApiServer, "client": Client, "kube-scheduler": Candidate}
    )
    w.add_host("cp-1")
    w.add_process("api", "kube-apiserver", "cp-1", FakeConfig())
    w.start("api")
    for name in clients:
        w.add_host(f"host-{name}")
        w.add_process(name, kind, f"host-{name}", ClientConfig(EPOCH, "api", TlsPeer(common_name=name)))
        w.start(name)
    return w


def write(w: World, method: str, path: str, doc: Any, cause: int = 0) -> int:
    w.state.ids += 1
    request = HttpRequest(w.state.ids, method, path, doc=doc)
    w.post("outside:test", "api", request, cause)
    return request.id


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": data}


MAPS = "/api/v1/namespaces/default/configmaps"


def test_store_follows_the_server_and_causes_travel() -> None:
    w = world("a")
    first = write(w, "POST", MAPS, config_map("one"))
    w.run_until(SECOND)
    second = write(w, "PUT", MAPS + "/one", config_map("one", k="v"))
    w.run_until(2 * SECOND)
    third = write(w, "DELETE", MAPS + "/one", None)
    w.run_until(3 * SECOND)
    told = w.actors["a"].state.told
    assert [t[:2] for t in told] == [("ADDED", "default/one"), ("MODIFIED", "default/one"), ("DELETED", "default/one")]
    assert [t[2] for t in told] == [first, second, third] or [t[2] for t in told] == [0, second, third]
    assert [run[2] for run in w.actors["a"].state.runs][1:] == [second, third]
    assert len(w.actors["a"].store("configmaps")) == 0


def test_index_by_namespace_loses_what_is_deleted() -> None:
    w = world("a")
    write(w, "POST", MAPS, config_map("one"))
    write(w, "POST", "/api/v1/namespaces/other/configmaps", config_map("two"))
    w.run_until(SECOND)
    store = w.actors["a"].store("configmaps")
    assert [key_of(doc) for doc in store.by("namespace", "other")] == ["other/two"]
    write(w, "DELETE", "/api/v1/namespaces/other/configmaps/two", None)
    w.run_until(2 * SECOND)
    assert store.by("namespace", "other") == []


def test_watch_resumes_after_the_server_was_killed() -> None:
    w = world("a")
    write(w, "POST", MAPS, config_map("one"))
    w.run_until(SECOND)
    state = w.actors["api"].state
    w.stop("api")
    w.run_until(2 * SECOND)
    w.start("api")
    state.watchers = {}
    w.actors["api"].state = state
    write(w, "POST", MAPS, config_map("two"))
    w.run_until(20 * SECOND)
    assert [key_of(d) for d in w.actors["a"].store("configmaps")] == ["default/one", "default/two"]
    assert w.actors["a"].state.reflectors["configmaps"].lists == 1  # it went on from where it stopped


def test_silent_watch_is_reopened() -> None:
    w = world("a")
    w.run_until(SECOND)
    w.actors["api"].state.watchers = {}  # the server forgot, and says nothing
    write(w, "POST", MAPS, config_map("one"))
    w.run_until(2 * WATCH_SILENCE)
    assert [key_of(d) for d in w.actors["a"].store("configmaps")] == ["default/one"]


def test_failed_run_is_repeated_with_growing_delays() -> None:
    w = world("a")
    w.run_until(SECOND)
    w.actors["a"].state.fail = 1
    write(w, "POST", "/api/v1/namespaces/x/secrets", {"metadata": {"name": "s"}, "spec": {}})
    write(w, "POST", MAPS, config_map("one"))
    w.run_until(4 * SECOND)
    instants = [run[1] for run in w.actors["a"].state.runs]
    gaps = [b - a for a, b in pairwise(instants)]
    assert len(gaps) > 5
    assert all(5 * MILLISECOND << i <= gap < (5 * MILLISECOND << i) + 4 * MILLISECOND for i, gap in enumerate(gaps))


def test_one_leader_and_a_successor_after_the_lease_ran_out() -> None:
    w = world("x", "y", "z", kind="kube-scheduler")
    w.run_until(30 * SECOND)
    leaders = [n for n in "xyz" if w.actors[n].leading]
    assert len(leaders) == 1
    w.stop_host(f"host-{leaders[0]}")
    died = w.now
    while not any(w.actors[n].leading for n in "xyz" if n in w.actors):
        w.run_until(w.now + SECOND)
        assert w.now - died < 25 * SECOND
    assert w.now - died >= 13 * SECOND  # not before 15 s after the last renewal, at most 2 s before its death


def test_leader_that_cannot_renew_stops() -> None:
    w = world("x", kind="kube-scheduler")
    w.run_until(5 * SECOND)
    assert w.actors["x"].leading
    w.stop("api")
    w.run_until(20 * SECOND)
    assert not w.actors["x"].leading


def test_idle_candidate_is_cheap() -> None:
    w = world("x", kind="kube-scheduler")
    w.run_until(HOUR)
    before = w.state.events
    w.run_until(2 * HOUR)
    assert w.state.events - before < 8 * 1800  # a renewal each 2 s: timer, request, answer, and seldom a sweep


def test_checkpoint_holds_plain_data_only() -> None:
    w = world("x", kind="kube-scheduler")
    w.run_until(5 * SECOND)
    w.stop("api")
    del w.state.slots["api"]  # its classes are the tests' own
    assert World.restore(w.checkpoint(), w.factories).actors["x"].leading


class Chatty(Candidate):
    kind = "chatty"

    def boot(self, disk: list[Any], now: int, out: Any) -> None:
        super().boot(disk, now, out)
        self.watch_resource(out, "configmaps", "/api/v1/configmaps")


def test_quiet_watch_is_believed_while_the_server_answers_other_requests_until_its_time_is_up() -> None:
    w = world()
    w.factories["chatty"] = Chatty
    w.add_process("x", "chatty", "cp-1", ClientConfig(EPOCH, "api", TlsPeer(common_name="x")))
    w.start("x")
    w.run_until(4 * 60 * SECOND)
    assert w.actors["x"].state.reflectors["configmaps"].watches == 1
    w.run_until(12 * 60 * SECOND)  # this server never ends a watch by itself
    assert w.actors["x"].state.reflectors["configmaps"].watches == 2
