"""The product with real kubectl: it hangs at a breakpoint, the control API says who is held and since when, and it goes on."""

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.product import Product, need, wait_for

need("kubectl")

DEPLOYMENTS = "create deployment {} --image=nginx"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    running = Product(tmp_path_factory.mktemp("stops")).start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def product(real: Product) -> Iterator[Product]:
    yield real
    for point in real.api("GET", "/breakpoints")["breakpoints"]:
        real.call("DELETE", f"/api/clusters/demo/breakpoints/{point['id']}")
    while real.api("PATCH", "/clock", {"paused": False, "rate": 1})["paused"]:
        pass


def kubectl(product: Product, line: str) -> subprocess.Popen[str]:
    cache = product.data / "kubecache"
    return subprocess.Popen(
        ["kubectl", f"--kubeconfig={product.data}/kubeconfig", f"--cache-dir={cache}", *line.split()],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> str:
    text = process.communicate(timeout=30)[0]
    assert process.returncode == 0, text
    return text


def warm(product: Product) -> None:
    """kubectl has asked what resources there are."""
    ended(kubectl(product, "get deployments.apps,pods"))


def stopped(product: Product) -> dict[str, Any]:
    return wait_for(lambda: product.api("GET", "/clock")["stopped"], "a stop")


def test_kubectl_hangs_at_the_breakpoint_and_goes_on(product: Product) -> None:
    warm(product)
    point = product.api("POST", "/breakpoints", {"stage": "authorization", "verb": "create", "resource": "deployments"})
    assert point["hits"] == 0
    before = time.time() * 1000
    process = kubectl(product, DEPLOYMENTS.format("held"))
    where = stopped(product)
    table = product.api("GET", "/breakpoints")
    (held,) = table["held"]
    assert (
        where["stage"] == held["stage"] == "authorization" and where["breakpoint"] == held["breakpoint"] == point["id"]
    )
    assert (held["user"], held["method"]) == ("kubernetes-admin", "POST")
    assert held["path"].startswith("/apis/apps/v1/namespaces/default/deployments")
    assert before <= held["sinceWallMs"] <= time.time() * 1000
    clock = product.api("GET", "/clock")
    assert clock["paused"] and clock["held"] == 1 and clock["nowMicros"] == held["sinceMicros"]
    assert table["breakpoints"][0]["hits"] == 1
    trace = product.api("GET", f"/requests/{held['request']}")
    assert [stage["name"] for stage in trace["stages"]][-1] == "authorization" and trace["code"] == 0
    assert process.poll() is None, "kubectl waits for its answer"
    assert not product.api("PATCH", "/clock", {"paused": False})["paused"]
    assert ended(process) == "deployment.apps/held created\n"
    assert product.api("GET", "/clock")["stopped"] is None
    assert product.api("GET", f"/requests/{held['request']}")["code"] == 201


def test_stage_by_stage_to_the_answer(product: Product) -> None:
    warm(product)
    product.api("POST", "/breakpoints", {"stage": "authentication", "verb": "create", "resource": "deployments"})
    strategy = product.api("POST", "/breakpoints", {"stage": "strategy", "resource": "deployments"})["id"]
    process = kubectl(product, DEPLOYMENTS.format("stepped"))
    number = stopped(product)["request"]
    walked = ["authentication"]
    while "response" not in walked:
        clock = product.api("POST", "/clock/step", {"request": number})
        assert clock["paused"] and clock["stopped"]["request"] == number, walked
        walked.append(clock["stopped"]["stage"])
        assert (clock["stopped"]["breakpoint"] == strategy) is (walked[-1] == "strategy")
        assert len(product.api("GET", f"/requests/{number}")["stages"]) == len(walked) + 1  # and tls before
    assert walked[:5] == ["authentication", "audit", "impersonation", "priority-and-fairness", "authorization"]
    assert {"validation", "propose", "append/m1", "commit", "etcd"} <= set(walked)
    assert all(walked.count(stage) == 1 or stage == "apply" for stage in walked) and process.poll() is None
    product.api("PATCH", "/clock", {"paused": False})
    assert ended(process) == "deployment.apps/stepped created\n"


def test_two_breakpoints_in_one_delivery_are_two_stops(product: Product) -> None:
    warm(product)
    for stage in ("mutating-admission", "validating-admission/ResourceQuota"):
        product.api("POST", "/breakpoints", {"stage": stage, "resource": "deployments", "verb": "create"})
    process = kubectl(product, DEPLOYMENTS.format("twice"))
    first = stopped(product)
    assert first["stage"].startswith("mutating-admission/")
    clock = product.api("PATCH", "/clock", {"paused": False})
    seen = [first["stage"]]
    while clock["paused"]:
        assert clock["stopped"]["request"] == first["request"] and clock["nowMicros"] == first["sinceMicros"]
        seen.append(clock["stopped"]["stage"])
        clock = product.api("PATCH", "/clock", {"paused": False})
    assert seen[-1] == "validating-admission/ResourceQuota"
    assert ended(process) == "deployment.apps/twice created\n"


@pytest.mark.parametrize("how", ["max", "run"])
def test_it_also_stops_at_full_speed_and_inside_an_exact_run(product: Product, how: str) -> None:
    warm(product)
    product.api("PATCH", "/clock", {"rate": "max", "paused": how == "run"})
    product.api("POST", "/breakpoints", {"stage": "response", "verb": "create", "resource": "deployments"})
    process = kubectl(product, DEPLOYMENTS.format(f"quick-{how}"))
    if how == "run":
        # kubectl asks for other things first; each waits at the door of the paused cluster until an exact run lets it in.
        def ran():
            return product.api("POST", "/clock/run", {"micros": 2_000_000})["stopped"]

        assert wait_for(ran, "a run that is stopped")["stage"] == "response"
    assert stopped(product)["stage"] == "response"
    assert process.poll() is None
    product.api("PATCH", "/clock", {"paused": False, "rate": 1})
    assert ended(process) == f"deployment.apps/quick-{how} created\n"


def test_a_stop_and_its_breakpoint_survive_the_death_of_runsim(product: Product) -> None:
    warm(product)
    point = product.api(
        "POST", "/breakpoints", {"stage": "authorization", "resource": "deployments", "name": "phoenix"}
    )
    process = kubectl(product, DEPLOYMENTS.format("phoenix"))
    before = stopped(product)
    product.child("runsim").kill()
    wait_for(lambda: product.call("GET", "/api/clusters/demo/clock")[0] == 200, "another runsim", 60)
    assert product.api("GET", "/clock")["stopped"] == before
    table = product.api("GET", "/breakpoints")
    assert [one["id"] for one in table["breakpoints"]] == [point["id"]] and table["held"][0]["request"] == before[
        "request"
    ]
    assert process.poll() is None
    clock = product.api("PATCH", "/clock", {"paused": False})
    assert not clock["paused"]
    assert ended(process) == "deployment.apps/phoenix created\n"
    again = kubectl(product, "delete deployment phoenix --wait=false")
    assert stopped(product)["breakpoint"] == point["id"], "it is armed again"
    product.api("PATCH", "/clock", {"paused": False})
    ended(again)


def test_run_until_an_expression_holds(product: Product) -> None:
    ended(kubectl(product, "create deployment crowd --image=nginx --replicas=3"))
    product.api("PATCH", "/clock", {"paused": True})
    cel = 'pods.filter(p, has(p.metadata.labels.app) && p.metadata.labels.app == "crowd" && p.status.phase == "Running").size() >= 3'
    clock = product.api("POST", "/clock/until", {"cel": cel, "limitMicros": 60_000_000})
    assert clock["reached"] and clock["paused"], clock
    assert clock["because"]["name"].startswith("crowd-")
    assert clock["stopped"]["until"] == cel and clock["stopped"]["request"] is None
    running = ended(kubectl_at_once(product, "crowd"))
    assert running.count("Running") == 3


def kubectl_at_once(product: Product, app: str) -> subprocess.Popen[str]:
    product.api("PATCH", "/clock", {"paused": False})
    return kubectl(product, f"get pods -l app={app}")


def test_a_condition_that_never_holds_ends_at_its_limit_and_says_why(product: Product) -> None:
    product.api("PATCH", "/clock", {"paused": True})
    before = product.api("GET", "/clock")["nowMicros"]
    cel = "pods.exists(p, p.status.mood == 'good')"
    clock = product.api("POST", "/clock/until", {"cel": cel, "limitMicros": 3_000_000})
    assert not clock["reached"] and clock["nowMicros"] == before + 3_000_000
    assert "there is no field 'mood'" in clock["sentence"] and clock["stopped"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("POST", "/breakpoints", {"stage": "lunch"}, 422, "authorization"),
        ("POST", "/breakpoints", {"stage": "tls", "user": "jane"}, 422, "authentication or later"),
        ("POST", "/breakpoints", {"stage": "tls", "colour": "red"}, 422, "colour"),
        ("POST", "/breakpoints", {}, 422, "stage"),
        ("DELETE", "/breakpoints/999", None, 404, "999"),
        ("DELETE", "/breakpoints/x", None, 404, "x"),
        ("POST", "/clock/until", {}, 422, "until when"),
        ("POST", "/clock/until", {"cel": "pods.size("}, 422, "not CEL"),
        ("POST", "/clock/until", {"cel": "pods.all(p, p.metadata.name.split('-').size() > 1)"}, 422, "'split'"),
        ("POST", "/clock/until", {"cel": "pods.all(p, p.?x == 1)"}, 422, "has(x.y)"),
        ("POST", "/clock/until", {"pick": {"request": 999999}}, 404, "999999"),
        ("POST", "/clock/until", {"pick": {"role": {"member": "m9"}}}, 404, "m9"),
    ],
)
def test_troubles_are_one_sentence(product: Product, method: str, path: str, body: Any, status: int, word: str) -> None:
    answer = product.call(method, f"/api/clusters/demo{path}", body)
    assert answer[0] == status, answer
    assert word in answer[1]["error"] and answer[1]["error"].endswith(".")
    assert not product.api("GET", "/clock")["paused"]


def test_there_are_at_most_64(product: Product) -> None:
    for _ in range(64):
        product.api("POST", "/breakpoints", {"stage": "etcd", "name": "never"})
    status, answer = product.call("POST", "/api/clusters/demo/breakpoints", {"stage": "etcd"})
    assert status == 409 and "64" in answer["error"]


def test_frames_say_where_it_stands(product: Product) -> None:
    warm(product)
    product.api("POST", "/breakpoints", {"stage": "authorization", "resource": "deployments", "verb": "create"})
    process = kubectl(product, DEPLOYMENTS.format("framed"))
    number = stopped(product)["request"]
    frames = [line for line in events(product) if line.get("stopped")]
    assert frames and frames[-1]["stopped"]["request"] == number and frames[-1]["held"] == 1 and frames[-1]["paused"]
    assert not any(told_of(frame, number) for frame in events(product)), "its answer is not told before it is let go"
    product.api("PATCH", "/clock", {"paused": False})
    ended(process)
    wait_for(lambda: any(told_of(frame, number) for frame in events(product)), "its row in the feed")


def events(product: Product) -> list[dict[str, Any]]:
    import json

    text = product.call("GET", "/api/clusters/demo/events")[1]
    lines = text.splitlines() if isinstance(text, str) else []
    return [json.loads(line) for line in lines]


def told_of(frame: dict[str, Any], number: int) -> bool:
    return any(event.get("t") == "request" and event.get("id") == number for event in frame.get("events", ()))
