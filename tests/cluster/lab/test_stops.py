"""Breakpoints and conditions on a whole cluster: where it stands still, and that standing still changes nothing."""

import pytest

from cluster.lab import Lab
from cluster.sim.clock import SECOND
from cluster.snapshot.stops import STAGES, Breakpoint, breakpoint_of, covers
from tests.cluster.lab.desk import Desk

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx"}]},
        },
    },
}
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@pytest.fixture(scope="module")
def booted() -> bytes:
    return Desk.boot(seed=11).lab.checkpoint()


@pytest.fixture
def desk(booted: bytes) -> Desk:
    return Desk(Lab.restore(booted))


def points(desk: Desk, *asked: dict) -> None:
    desk.lab.stops.arm(tuple(breakpoint_of(n, one, desk.lab.world) for n, one in enumerate(asked, 1)))


def run(desk: Desk, seconds: float = 10) -> list:
    """Run on; what stopped it."""
    desk.lab.run_until(desk.lab.now + int(seconds * SECOND))
    return desk.lab.stops.take()


def test_the_world_stands_still_after_the_delivery_that_reached_the_stage(desk):
    points(desk, {"stage": "authorization", "resource": "deployments", "verb": "create"})
    desk.send("POST", DEPLOYMENTS, DEPLOYMENT)
    began = desk.lab.now
    (hit,) = run(desk)
    assert (hit.stage, hit.now, hit.breakpoint) == ("authorization", desk.lab.now, 1)
    assert began < desk.lab.now < began + SECOND
    assert desk.drain() == [], "the answer is on its way"
    assert desk.lab.stops.row(hit.request)["user"] == "kubernetes-admin"


def test_the_trace_is_cut_where_the_request_stands_and_whole_again_afterwards(desk):
    points(desk, {"stage": "authorization", "resource": "deployments"})
    desk.send("POST", DEPLOYMENTS + "?dryRun=All", DEPLOYMENT)
    (hit,) = run(desk)
    desk.lab.stops.shown = (hit.request, hit.count)
    cut = desk.lab.query("request", id=hit.request)
    assert [stage["name"] for stage in cut["stages"]][-1] == "authorization"
    assert (cut["code"], cut["raw"]["responseHead"]) == (0, "")
    assert next(row for row in desk.lab.query("requests") if row["id"] == hit.request)["code"] == 0
    desk.lab.stops.shown = None
    desk.lab.run_until(desk.lab.now + SECOND)
    whole = desk.lab.query("request", id=hit.request)
    assert whole["stages"][-1]["name"] == "response" and whole["code"] == 201


def test_several_stages_of_one_delivery_are_hit_in_order(desk):
    points(desk, {"stage": "validation"}, {"stage": "mutating-admission", "name": "web"}, {"stage": "authentication"})
    desk.send("POST", DEPLOYMENTS, DEPLOYMENT)
    hits = run(desk)
    assert [hit.stage.partition("/")[0] for hit in hits] == ["authentication", "mutating-admission", "validation"]
    assert [hit.count for hit in hits] == sorted(hit.count for hit in hits)


@pytest.mark.parametrize(
    "conditions",
    [
        {"verb": "delete"},
        {"resource": "pods"},
        {"resource": "deployments/scale"},
        {"namespace": "kube-system"},
        {"user": "jane"},
        {"name": "other"},
    ],
)
def test_conditions_that_do_not_hold_stop_nothing(desk, conditions):
    points(desk, {"stage": "response", **conditions})
    code, _ = desk.ask("POST", DEPLOYMENTS + "?dryRun=All", DEPLOYMENT)
    assert code == 201


@pytest.mark.parametrize(
    "conditions",
    [
        {"verb": "create"},
        {"verb": "POST"},
        {"resource": "deployments"},
        {"resource": "deployments.apps"},
        {"resource": "*"},
        {"namespace": "default"},
        {"user": "kubernetes-admin"},
        {"name": "web"},
    ],
)
@pytest.mark.parametrize("stage", ["authentication", "response"])
def test_conditions_that_hold(desk, stage, conditions):
    points(desk, {"stage": stage, **conditions})
    desk.send("POST", DEPLOYMENTS, DEPLOYMENT)
    assert [hit.stage for hit in run(desk)] == [stage]


def test_the_way_of_an_entry_is_stopped_at_member_by_member(desk):
    points(desk, {"stage": "propose"}, {"stage": "append/m3"}, {"stage": "commit"}, {"stage": "apply"})
    desk.send("POST", DEPLOYMENTS, DEPLOYMENT)
    met = []
    while len(met) < 4:
        hits = run(desk)
        assert hits, met
        met += [hit.stage for hit in hits if hit.stage not in met]
    assert met[0] == "propose" and set(met) == {"propose", "append/m3", "commit", "apply"}


def test_a_watcher_hears_of_it(desk):
    points(desk, {"stage": "watch/kube-scheduler", "resource": "pods"})
    desk.send("POST", DEPLOYMENTS, DEPLOYMENT)
    (hit,) = run(desk)[:1]
    assert hit.stage.startswith("watch/kube-scheduler-cp-")


def test_what_no_client_caused_counts_only_when_asked(desk):
    points(desk, {"stage": "authorization"})
    assert run(desk, 15) == []
    points(desk, {"stage": "authorization", "system": True})
    assert run(desk, 15)
    points(desk, {"stage": "authorization", "user": "system:node:node-1"})
    assert desk.lab.stops.row(run(desk, 15)[0].request)["user"] == "system:node:node-1"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"stage": "lunch"}, "there is no stage 'lunch'"),
        ({"stage": "authorization/RBAC"}, "nothing after a slash"),
        ({"stage": "mutating-admission/"}, "say which"),
        ({"stage": "mutating-admission/Nonsense"}, "no plug-in 'Nonsense'"),
        ({"stage": "append/m9"}, "no member 'm9'"),
        ({"stage": "watch/<b>"}, "a watcher's name"),
        ({"stage": "tls", "user": "jane"}, "nobody knows the user yet"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(desk, asked, why):
    with pytest.raises(ValueError, match=why):
        breakpoint_of(1, asked, desk.lab.world)


def test_every_stage_that_is_noted_has_a_name_one_can_stop_at(desk):
    desk.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    desk.lab.run_until(desk.lab.now + 10 * SECOND)
    noted = {stage.name for trace in desk.lab.recorder.memory.traces.values() for stage in trace.stages}
    assert len(noted) > 15
    for name in noted:
        assert any(covers(stage, name) for stage in STAGES), name
        breakpoint_of(1, {"stage": name}, desk.lab.world)


# -- until -------------------------------------------------------------------------------------------------------------


def until(desk: Desk, **goal) -> dict | None:
    desk.lab.stops.seek(goal)
    if desk.lab.stops.reached is None:
        desk.lab.run_until(desk.lab.now + 60 * SECOND)
    return desk.lab.stops.reached


def running(desk: Desk) -> int:
    return sum(
        pod["status"].get("phase") == "Running"
        for pod in desk.lab.query("objects", resource="pods", namespace="default")
    )


def test_run_until_an_expression_holds_stops_at_the_commit_that_made_it_true(desk):
    desk.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    cel = 'pods.filter(p, p.metadata.namespace == "default" && p.status.phase == "Running").size() >= 2'
    why = until(desk, cel=cel)
    assert why is not None and running(desk) == 2
    pod = desk.lab.query("object", resource="pods", namespace="default", name=why["name"])
    assert int(pod["metadata"]["resourceVersion"]) == why["revision"]
    assert pod["status"]["phase"] == "Running"


@pytest.mark.parametrize(
    ("pick", "holds"),
    [
        ({"resource": "deployments", "namespace": "default", "name": "web"}, True),
        (
            {
                "resource": "deployments",
                "namespace": "default",
                "name": "web",
                "field": "status.readyReplicas",
                "is": 2,
            },
            True,
        ),
        (
            {
                "resource": "deployments",
                "namespace": "default",
                "name": "web",
                "field": "status.readyReplicas",
                "is": 3,
            },
            False,
        ),
        ({"resource": "deployments", "namespace": "default", "name": "nothing", "gone": True}, True),
        ({"resource": "nodes", "name": "node-1"}, True),
        ({"role": {"member": "m1", "is": "down"}}, False),
    ],
)
def test_run_until_a_picked_thing(desk, pick, holds):
    desk.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    assert (until(desk, pick=pick) is not None) is holds


def test_run_until_a_request_is_answered_and_a_member_leads(desk):
    desk.send("POST", DEPLOYMENTS, DEPLOYMENT)
    points(desk, {"stage": "etcd"})
    (hit,) = run(desk)
    points(desk)
    assert until(desk, pick={"request": hit.request})["code"] == 201
    led = next(m["id"] for m in desk.lab.query("members") if m["role"] == "leader")
    other = next(m["id"] for m in desk.lab.query("members") if m["id"] != led)
    desk.lab.world.stop(led)
    desk.lab.stops.seek(None)
    why = until(desk, pick={"role": {"member": other, "is": "follower"}})
    assert why == {"member": other, "role": "follower"}


@pytest.mark.parametrize(
    ("goal", "error"),
    [
        ({}, ValueError),
        ({"cel": "pods.size(", "pick": None}, ValueError),
        ({"cel": "pods.size() > 1", "pick": {"request": 1}}, ValueError),
        ({"pick": {"resource": "unicorns", "name": "x"}}, ValueError),
        ({"pick": {"resource": "pods"}}, ValueError),
        ({"pick": {"request": 999_999}}, KeyError),
        ({"pick": {"role": {"member": "m9"}}}, KeyError),
        ({"pick": {"role": {"member": "m1", "is": "king"}}}, ValueError),
    ],
)
def test_a_goal_that_makes_no_sense_is_refused(desk, goal, error):
    with pytest.raises(error):
        desk.lab.stops.seek(goal)


# -- nothing changes ---------------------------------------------------------------------------------------------------


def story(booted: bytes, armed: bool, chunk: int) -> tuple[str, int, int]:
    """The same inputs at the same instants, run in pieces of ``chunk`` events; breakpoints everywhere if ``armed``."""
    desk = Desk(Lab.restore(booted))
    begin = desk.lab.now
    stops = 0

    def run_to(instant: int) -> None:
        nonlocal stops
        while desk.lab.now < instant:
            desk.lab.run_until(instant, chunk)
            stops += len(desk.lab.stops.take())
            if desk.lab.stops.reached is not None:
                desk.lab.stops.seek(None)

    if armed:
        desk.lab.stops.arm(tuple(Breakpoint(n, stage, system=True) for n, stage in enumerate(STAGES)))
        desk.lab.stops.seek({"cel": 'pods.filter(p, p.status.phase == "Running").size() >= 12'})
    desk.send("POST", DEPLOYMENTS, DEPLOYMENT)
    run_to(begin + 2 * SECOND)
    desk.send("DELETE", "/api/v1/namespaces/default/pods")
    run_to(begin + 12 * SECOND)
    desk.lab.stops.arm(())
    return desk.lab.digest(), desk.lab.world.state.events, stops


def test_the_digest_is_the_same_with_breakpoints_and_without(booted):
    plain = story(booted, armed=False, chunk=1 << 62)
    armed = story(booted, armed=True, chunk=1 << 62)
    pieces = story(booted, armed=True, chunk=7)
    assert plain[:2] == armed[:2] == pieces[:2]
    assert plain[2] == 0 and armed[2] == pieces[2] > 300


def test_without_anything_armed_the_world_runs_its_plain_loop(desk):
    points(desk, {"stage": "tls"})
    assert desk.lab.world.halt is not None
    points(desk)
    assert desk.lab.world.halt is None and desk.lab.world.observer is desk.lab.recorder


def test_a_question_of_the_console_disturbs_nothing(desk):
    desk.type("export TOKEN=x", session="mine")
    digest = desk.lab.digest()
    words = [row["word"] for row in desk.lab.query("complete", line="kubectl drain node-", session="nobody")["words"]]
    assert words == ["node-1", "node-2", "node-3"]
    assert desk.lab.query("complete", line="echo $TOK", session="mine")["words"][0]["word"] == "TOKEN"
    assert desk.lab.query("complete", line="echo $TOK", session="nobody")["words"] == ()
    console = next(actor for actor in desk.lab.world.actors.values() if actor.kind == "shell")
    assert list(console.state.sessions) == ["mine"] and desk.lab.digest() == digest
