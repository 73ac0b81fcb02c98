"""Server-side tables: the recorded ones again, and the STATUS words of pods."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.api.scheme import Resource, builtin
from cluster.apiserver import table
from cluster.apiserver.printers import CELLS, columns, core, text, workloads

DATA = Path(__file__).parent / "data"
SCHEME = builtin()
START = "2026-11-23T03:55:33Z"
NOW = text.unix(START) + 2


def resource(group: str, version: str, plural: str) -> Resource:
    found = SCHEME.resource(group, version, plural)
    assert found is not None
    return found


CONFIG_MAPS = resource("", "v1", "configmaps")
PODS = resource("", "v1", "pods")


def recorded(name: str) -> str:
    return (DATA / f"{name}.txt").read_text().strip()


def config_maps(name: str) -> list[dict[str, Any]]:
    """The objects behind a recorded table: its rows' metadata with one key of data each."""
    rows = json.loads(recorded(name))["rows"]
    return [{"kind": "ConfigMap", "metadata": row["object"]["metadata"], "data": {"n": "1"}} for row in rows]


def test_table_is_as_recorded() -> None:
    doc = table.render(CONFIG_MAPS, config_maps("c64-table"), NOW, list_meta={"resourceVersion": "308"})
    assert json.dumps(doc, indent=2) == recorded("c64-table")


def test_table_of_one_object_without_objects_is_as_recorded() -> None:
    doc = table.render(CONFIG_MAPS, config_maps("c64-table")[:1], NOW, include_object="None")
    assert json.dumps(doc, indent=2) == recorded("c65-table-include-none")


def test_first_watch_event_is_as_recorded() -> None:
    event = json.loads(recorded("d08-watch-table"))
    row = event["object"]["rows"][0]
    doc = {"metadata": row["object"]["metadata"], "data": {"d": "4"}}
    now = text.unix("2026-11-23T03:55:30Z") + 20
    assert json.dumps({"type": "ADDED", "object": table.render(CONFIG_MAPS, [doc], now)}, separators=(",", ":")) == (
        recorded("d08-watch-table")
    )
    assert table.render(CONFIG_MAPS, [doc], now, headers=False)["columnDefinitions"] is None


def test_partial_metadata_list_is_as_recorded() -> None:
    docs = [each for each in config_maps("c64-table") if each["metadata"]["labels"] == {"set": "even"}]
    doc = table.partial_metadata_list(docs, {"resourceVersion": "308"})
    assert json.dumps(doc, indent=2) == recorded("c67-partial-metadata-list")


def test_every_kind_with_columns_has_as_many_cells() -> None:
    assert set(CELLS) == set(columns.COLUMNS)
    for key, cells in CELLS.items():
        doc = {"metadata": {"name": "x", "creationTimestamp": START}, "spec": {}, "status": {}, "roleRef": {}}
        assert len(cells(doc, NOW)) == len(columns.of_kind(*key)), key


def test_kinds_without_columns_get_name_and_creation() -> None:
    doc = {"metadata": {"name": "x", "creationTimestamp": START}}
    rendered = table.render(resource("rbac.authorization.k8s.io", "v1", "roles"), [doc], NOW)
    assert [each["name"] for each in rendered["columnDefinitions"]] == ["Name", "Created At"]
    assert rendered["rows"][0]["cells"] == ["x", START]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"), (-0.5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"),
        (3 * 3600 - 1, "179m"), (3 * 3600, "3h"), (3 * 3600 + 61 * 60, "4h1m"), (8 * 3600, "8h"), (47 * 3600, "47h"),
        (48 * 3600, "2d"), (49 * 3600, "2d1h"), (8 * 86400, "8d"), (729 * 86400, "729d"), (730 * 86400, "2y"),
        (731 * 86400, "2y1d"), (9 * 365 * 86400, "9y"),
    ],
)  # fmt: skip
def test_human_duration(seconds: float, shown: str) -> None:
    assert text.human_duration(seconds) == shown


def pod(status: dict[str, Any], spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "a"}], **(spec or {})}
    return {"metadata": {"name": "p", "creationTimestamp": START, **metadata}, "spec": spec, "status": status}


def running(**more: Any) -> dict[str, Any]:
    return {"name": "a", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": START}}, **more}


@pytest.mark.parametrize(
    ("doc", "ready", "status", "restarts"),
    [
        (pod({"phase": "Pending"}), "0/1", "Pending", "0"),
        (pod({"phase": "Running", "containerStatuses": [running()]}), "1/1", "Running", "0"),
        (
            pod({"phase": "Running", "containerStatuses": [running()]}, deletionTimestamp=START),
            "1/1",
            "Terminating",
            "0",
        ),
        (
            pod(
                {
                    "phase": "Running",
                    "containerStatuses": [
                        running(
                            ready=False,
                            restartCount=3,
                            state={"waiting": {"reason": "CrashLoopBackOff"}},
                            lastState={"terminated": {"finishedAt": "2026-11-23T03:55:30Z"}},
                        )
                    ],
                }
            ),
            "0/1",
            "CrashLoopBackOff",
            "3 (5s ago)",
        ),
        (
            pod(
                {
                    "phase": "Succeeded",
                    "containerStatuses": [{"name": "a", "state": {"terminated": {"reason": "Completed"}}}],
                }
            ),
            "0/1",
            "Completed",
            "0",
        ),
        (
            pod(
                {"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"running": {}}}]},
                {"initContainers": [{"name": "i"}, {"name": "j"}]},
            ),
            "0/1",
            "Init:0/2",
            "0",
        ),
        (
            pod(
                {
                    "phase": "Pending",
                    "initContainerStatuses": [
                        {"name": "i", "restartCount": 2, "state": {"terminated": {"exitCode": 7}}}
                    ],
                },
                {"initContainers": [{"name": "i"}]},
            ),
            "0/1",
            "Init:ExitCode:7",
            "2",
        ),
        (
            pod(
                {
                    "phase": "Pending",
                    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
                }
            ),
            "0/1",
            "SchedulingGated",
            "0",
        ),
        (
            pod(
                {
                    "phase": "Running",
                    "containerStatuses": [
                        {"name": "a", "state": {"terminated": {"reason": "Completed"}}},
                        running(name="b"),
                    ],
                },
                {"containers": [{"name": "a"}, {"name": "b"}]},
            ),
            "1/2",
            "NotReady",
            "0",
        ),
    ],
)
def test_pod_status(doc: dict[str, Any], ready: str, status: str, restarts: str) -> None:
    assert core.pod(doc, NOW)[1:4] == [ready, status, restarts]


def test_finished_pods_carry_a_row_condition() -> None:
    row = table.render(PODS, [pod({"phase": "Failed"})], NOW)["rows"][0]
    assert row["conditions"][0]["reason"] == "Failed"
    assert list(row) == ["cells", "conditions", "object"]


def test_endpoints_show_three_and_count_the_rest() -> None:
    addresses = [{"ip": f"10.0.0.{i}"} for i in range(1, 6)]
    doc = {"metadata": {"name": "e"}, "subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]}
    assert core.endpoints(doc, NOW)[1] == "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."


def test_job_as_recorded_suspended() -> None:
    conditions = [{"type": "Suspended", "status": "True"}]
    doc = {"metadata": {"name": "once"}, "spec": {"completions": 1}, "status": {"conditions": conditions}}
    assert workloads.job(doc, NOW)[1:4] == ["Suspended", "0/1", ""]


def test_selector_text() -> None:
    value = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [{"key": "c", "operator": "In", "values": ["y", "x"]}, {"key": "d", "operator": "Exists"}],
    }
    assert text.selector(value) == "a=1,b=2,c in (x,y),d"
    assert text.selector(None) == "<none>"


def test_simple_jsonpath_of_custom_columns() -> None:
    doc = {
        "spec": {"size": 3, "list": [{"a": 1}, {"a": 2}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert table.lookup(doc, ".spec.size") == [3]
    assert table.lookup(doc, ".spec.list[*].a") == [1, 2]
    assert table.lookup(doc, '.status.conditions[?(@.type=="Ready")].status') == ["True"]
    assert table.lookup(doc, ".spec.nope") == []


def widgets(columns_of: list[dict[str, Any]]) -> Resource:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "additionalPrinterColumns": columns_of}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    conditions = [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}]
    crd = {"metadata": {"name": "widgets.example.com"}, "spec": spec, "status": {"conditions": conditions}}
    crd["status"]["acceptedNames"] = names
    found = SCHEME.with_crds([crd]).resource("example.com", "v1", "widgets")
    assert found is not None
    return found


def test_custom_columns_take_the_place_of_age() -> None:
    doc = {"metadata": {"name": "w1", "creationTimestamp": START}, "spec": {"size": 3, "when": START}}
    asked = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "When", "type": "date", "jsonPath": ".spec.when"},
        {"name": "Nope", "type": "string", "jsonPath": ".spec.nope"},
    ]
    doc_table = table.render(widgets(asked), [doc], NOW)
    assert [each["name"] for each in doc_table["columnDefinitions"]] == ["Name", "Size", "When", "Nope"]
    assert doc_table["rows"][0]["cells"] == ["w1", 3, "2s", None]
    assert table.render(widgets([]), [doc], NOW)["rows"][0]["cells"] == ["w1", "2s"]
