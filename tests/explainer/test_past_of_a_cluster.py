"""The past of a whole Kubernetes cluster: what is looked at again is what was there, byte for byte."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from cluster.trace.codec import diff
from explainer.runs import annals, keys, moment, resp
from explainer.runs.feed import encode_json
from explainer.runs.mail import item
from tests.explainer.past_bench import Failed, Live, Past, past
from tests.product import ROOT

DOOR = "cluster.lab"
VIEWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("map", {}),
    ("members", {"log": "full"}),
    ("processes", {}),
    ("terms", {}),
    ("requests", {"limit": 2000, "system": True}),
    ("objects", {"resource": "pods"}),
    ("objects", {"resource": "leases"}),
    ("rules", {"node": "node-1"}),
)


def create(live: Live, name: str) -> tuple[str, bytes]:
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "nginx"}]},
            },
        },
    }
    return live.post(
        "/apis/apps/v1/namespaces/default/deployments",
        orjson.dumps(body),
        headers=[("content-type", "application/json")],
        peer={"common_name": "admin", "organizations": ["system:masters"]},
        remote="203.0.113.9:4711",
    )


@pytest.fixture(scope="module")
def lived(redis_url: str) -> Iterator[tuple[Live, Past, list[dict[str, Any]]]]:
    """A cluster that something happened to, what it looked like after each thing, and its historian."""
    link = resp.Link(resp.Address(redis_url))
    link.call("FLUSHALL")
    live = Live(link, DOOR, workers=1, control_planes=3)
    for _ in range(2000):
        live.runner.turn([], live.wall)
        live.wall += 0.01
        if live.runner.mark.ready:
            break
    live.until(4_000_000)
    seen = [looked(live)]
    live.until(4_001_000)

    def then(*mail: tuple[str, bytes], seconds: float = 1.0) -> None:
        for one in mail:
            live.runner.turn([one], live.wall)
        live.until(live.runner.lab.now // 1000 + int(seconds * 1e6))
        seen.append(looked(live))
        live.until(
            live.runner.lab.now // 1000 + 1000
        )  # what is done at an instant belongs to the moment of that instant

    then(create(live, "one"), seconds=2.0)
    live.runner.keep()
    then(live.mail("input", item("MemberOp", member="m1", op="stop")), seconds=0.3)
    then(create(live, "two"), seconds=3.0)
    then(live.mail("input", item("MemberOp", member="m1", op="start")), seconds=2.0)
    live.runner.keep()
    then(
        live.mail(
            "input", item("ConsoleIn", session="s", line="kubectl scale deployment one --replicas=4", call="w1/k")
        )
    )
    with past(redis_url, DOOR) as asked:
        yield live, asked, seen
    link.close()


def looked(live: Live) -> dict[str, Any]:
    lab = live.runner.lab
    views = [encode_json(lab.query(view, **args)) for view, args in VIEWS]
    return {"at": f"e{live.runner.delivered}", "now": lab.now, "digest": lab.digest(), "views": views}


def test_all_views_are_equal_byte_for_byte(lived: tuple[Live, Past, list[dict[str, Any]]]) -> None:
    live, asked, seen = lived
    before = live.runner.lab.digest()
    for moment_ in (seen[3], seen[0], seen[5], seen[1], seen[4], seen[2]):
        at = str(moment_["now"] // 1000)
        assert asked.view(at, "digest")["digest"] == moment_["digest"]
        for (view, args), expected in zip(VIEWS, moment_["views"], strict=True):
            assert diff(orjson.loads(expected), asked.view(at, view, **args)) == [], (at, view)
    assert live.runner.lab.digest() == before


def test_steps_in_a_whole_cluster(lived: tuple[Live, Past, list[dict[str, Any]]]) -> None:
    _, asked, seen = lived
    start = at = seen[1]["at"]
    stops = []
    for _ in range(5):
        at = asked.ask("step", at=at, direction="back", by="stage", request=0)["at"]
        stops.append(at)
    assert [int(at[1:]) for at in stops] == sorted({int(at[1:]) for at in stops}, reverse=True)
    assert int(stops[0][1:]) < int(start[1:])
    for stop in reversed(stops[:-1]):
        at = asked.ask("step", at=at, direction="forward", by="stage", request=0)["at"]
        assert at == stop


def test_the_tape_of_a_cluster(lived: tuple[Live, Past, list[dict[str, Any]]]) -> None:
    live, _, seen = lived
    rows = annals.Annals(live.link, "demo").tape(0, 1 << 62)
    kinds = {row.kind for row in rows}
    assert {"request", "election", "fault", "birth", "rules"} <= kinds
    faults = [(row.label, row.input) for row in rows if row.kind == "fault"]
    assert [label for label, _ in faults] == ["m1 down", "m1 up"] and 0 < faults[0][1] < faults[1][1]
    elections = [row for row in rows if row.kind == "election"]
    assert len(elections) == len(live.runner.lab.query("terms"))
    assert all(row.at <= seen[-1]["now"] and 0 < row.events <= live.runner.delivered for row in rows)


def test_without_a_fault_a_request_a_message(lived: tuple[Live, Past, list[dict[str, Any]]]) -> None:
    live, asked, _ = lived
    rows = annals.Annals(live.link, "demo").tape(0, 1 << 62)
    down = next(row for row in rows if row.label == "m1 down")
    asked.ask("what-if", name="no-fault", described={}, without={"input": down.input})
    assert [row["term"] for row in asked.view("", "terms", "no-fault")] == [
        row["term"] for row in asked.view("", "terms")
    ][:1]
    assert {row["name"] for row in asked.view("", "members", "no-fault")} == {"cp-1", "cp-2", "cp-3"}
    requests = asked.view("", "requests", limit=2000)
    made = next(r for r in requests if r["verb"] == "create" and r["resource"] == "deployments" and r["code"] == 201)
    without = {"request": made["id"], "startMicros": made["startMicros"]}
    asked.ask("what-if", name="no-request", described={}, without=without)
    differing = asked.ask("compare", at="", other="no-request", other_at="", quiet=False)
    gone = {(row["resource"], row["name"]) for row in differing["objects"] if row["change"] == "removed"}
    assert [name for resource, name in gone if resource == "deployments"] in (["one"], ["two"])
    scaled = next(r for r in requests if r["verb"] in ("patch", "update") and r["client"].startswith("172.18.0.1:"))
    asked.ask(
        "what-if", name="no-line", described={}, without={"request": scaled["id"], "startMicros": scaled["startMicros"]}
    )
    (one,) = [d for d in asked.view("", "objects", "no-line", resource="deployments") if d["metadata"]["name"] == "one"]
    assert one["spec"]["replicas"] == 2
    inner = next(r for r in asked.view("", "requests", limit=2000) if r["client"].startswith("kube-scheduler"))
    without = {"request": inner["id"], "startMicros": inner["startMicros"]}
    asked.ask("what-if", name="no-word", described={}, without=without)
    heard = {r["id"]: r["path"] for r in asked.view("", "requests", "no-word", limit=2000)}
    assert inner["id"] not in heard, "a component's request is lost before anybody has read it"
    same = [r for r in asked.view("", "requests", limit=2000) if r["startMicros"] < inner["startMicros"]]
    assert len(same) > 3 and all(heard.get(r["id"]) == r["path"] for r in same), "what was before it is as it was"
    flight = next(
        event for event in asked.ask("step", at=f"e{down.events}", direction="back", by="event", request=0).values()
        if isinstance(event, dict)
    )  # fmt: skip
    assert flight["t"] == "flight"
    message = {key: flight[key] for key in ("src", "dst", "kind", "sentMicros")}
    asked.ask("what-if", name="no-message", described={}, without={"message": message})
    assert asked.view("", "digest", "no-message")["digest"] != live.runner.lab.digest()
    for name in ("no-fault", "no-request", "no-line", "no-word", "no-message"):
        live.link.call("DEL", *keys.every(name))


def test_the_file_of_a_cluster_replays_and_comes_back(
    lived: tuple[Live, Past, list[dict[str, Any]]], tmp_path: Path
) -> None:
    live, asked, seen = lived
    link = live.link
    past_ = annals.Annals(link, "demo")
    proof = asked.view("", "digest")
    spec = link.call("GET", keys.spec("demo"))
    rows = past_.entries(0, 1 << 62, 1 << 62)
    data = moment.write(
        moment.Moment({"name": "demo"}, spec, live.runner.version, b"", moment.pack(rows), 1.0, **proof)
    )
    assert len(data) < 30_000
    file = tmp_path / "x.clearplane"
    file.write_bytes(data)
    command = [sys.executable, "manage.py", "replay", str(file)]
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "explainer.settings"}  # a browser's tests set their own
    said = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert said.returncode == 0 and "every byte agrees" in said.stdout, said
    link.call("SET", keys.past_file("f"), data)
    clock = asked.ask("import", cluster="back", name="back", file="f")
    assert clock["nowMicros"] == proof["now"] // 1000
    for moment_ in (seen[2], seen[4]):
        assert asked.view(str(moment_["now"] // 1000), "digest", "back")["digest"] == moment_["digest"]
    wrong = moment.read(data)
    for change, match in (
        ({"digest": "0"}, "does not replay"),
        ({"version": "other"}, "another version"),
        ({"entries": b"x"}, "damaged"),
        (
            {"spec": msgspec.msgpack.encode({**msgspec.msgpack.decode(spec), "workers": 10**9})},
            "none that can be made here",
        ),
    ):
        link.call("SET", keys.past_file("f"), moment.write(msgspec.structs.replace(wrong, **change)))
        with pytest.raises(Failed, match=match):
            asked.ask("import", cluster="bad", name="bad", file="f")
    assert not link.call("EXISTS", keys.spec("bad"))
