"""The tracer's read models of a whole cluster: the list and its filters, why a stage decided, one trace as OpenTelemetry."""

import base64
import json
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cluster.sim.clock import SECOND
from cluster.wire.http import TlsPeer
from tests.cluster.lab.desk import Desk

JANE = TlsPeer(common_name="jane", organizations=("dev",))
CM = "/api/v1/namespaces/default/configmaps"
LABELS = {"app": "web"}
WEB = {
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "nginx", "image": "nginx"}]}},
    },
}


@pytest.fixture(scope="module")
def desk() -> Desk:
    desk = Desk.boot(workers=2, control_planes=1, etcd_members=1)
    service = {"metadata": {"name": "web"}, "spec": {"selector": LABELS, "ports": [{"port": 80}]}}
    assert desk.ask("POST", "/api/v1/namespaces/default/services", service)[0] == 201
    assert desk.ask("POST", "/apis/apps/v1/namespaces/default/deployments", WEB)[0] == 201
    desk.deployment = desk.request  # type: ignore[attr-defined]
    desk.lab.run_until(desk.lab.now + 10 * SECOND)
    return desk


def trace(desk: Desk, number: int = 0) -> dict[str, Any]:
    return desk.lab.query("request", id=number or desk.request)


def stage(told: dict[str, Any], name: str, outcome: str = "") -> dict[str, Any]:
    return next(s for s in told["stages"] if s["name"] == name and outcome in ("", s["outcome"]))


# -- the list -----------------------------------------------------------------------------------------------------


def test_filters_count_and_page(desk: Desk) -> None:
    everything = desk.lab.query("request_list", limit=1000)
    assert everything["matched"] == everything["kept"] == len(everything["rows"]) and everything["more"] == 0
    ids = [row["id"] for row in everything["rows"]]
    assert ids == sorted(ids, reverse=True)
    first = desk.lab.query("request_list", limit=5)
    older = desk.lab.query("request_list", limit=5, before=first["rows"][-1]["id"])
    assert [row["id"] for row in first["rows"] + older["rows"]] == ids[:10]
    assert first["more"] == len(ids) - 5
    assert [row["id"] for row in desk.lab.query("request_list", since=ids[3])["rows"]] == ids[:3]
    creates = desk.lab.query("request_list", limit=1000, verb="create", resource="pods")
    assert creates["matched"] == sum(
        1 for r in everything["rows"] if (r["verb"], r["resource"].partition("/")[0]) == ("create", "pods")
    )
    more = desk.lab.query("request_list", limit=1000, system=True)
    assert more["kept"] > everything["kept"]


def test_filters_by_code_initiator_component_and_words(desk: Desk) -> None:
    desk.ask("GET", "/api/v1/namespaces/default/secrets", peer=JANE, headers=(("user-agent", "curl/8"),))
    denied = desk.request
    query = lambda **how: [row["id"] for row in desk.lab.query("request_list", limit=1000, **how)["rows"]]  # noqa: E731
    assert query(code="403") == query(code="4xx", user="jane") == query(component="curl") == [denied]
    assert denied in query(errors=True) and denied not in query(code="2xx")
    assert denied in query(text="none lets them list secrets"), "what stages said is searched"
    assert query(text="no such words anywhere") == []
    outside = query(initiator="outside")
    assert denied in outside and desk.deployment in outside  # type: ignore[attr-defined]
    children = query(initiator=str(desk.deployment))  # type: ignore[attr-defined]
    assert children and not set(children) & set(outside) and set(children) < set(query(initiator="caused"))
    row = desk.lab.query("request_list", initiator=str(desk.deployment))["rows"][0]  # type: ignore[attr-defined]
    assert row["because"] == "create deployments"


def test_sorting(desk: Desk) -> None:
    took = [r["endMicros"] - r["startMicros"] for r in desk.lab.query("request_list", sort="took", limit=10)["rows"]]
    assert took == sorted(took, reverse=True) and took[0] > 0
    paths = [r["path"] for r in desk.lab.query("request_list", sort="path", limit=10)["rows"]]
    assert paths == sorted(paths)


def test_the_parts_of_a_bar_cover_the_request(desk: Desk) -> None:
    row = next(r for r in desk.lab.query("request_list", limit=1000)["rows"] if r["id"] == desk.deployment)  # type: ignore[attr-defined]
    assert [part for part, _, _ in row["parts"]] == ["authn", "authz", "admission", "etcd", "response"]
    ends = [end for _, _, end in row["parts"]]
    assert ends == sorted(ends) and row["parts"][0][1] == 0
    assert ends[-1] == pytest.approx(row["endMicros"] - row["startMicros"], abs=1)


# -- why ----------------------------------------------------------------------------------------------------------


def test_an_allowance_names_binding_role_and_rule_and_what_was_tried_before(desk: Desk) -> None:
    rules = [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]},
    ]
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    desk.ask("POST", f"{rbac}/roles", {"metadata": {"name": "reader"}, "rules": rules})
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    desk.ask(
        "POST", f"{rbac}/rolebindings", {"metadata": {"name": "reads"}, "subjects": [subject], "roleRef": reference}
    )
    assert desk.ask("GET", CM, peer=JANE)[0] == 200
    told = stage(trace(desk), "authorization")
    assert told["reason"] == "RBAC: RoleBinding reads/default grants it through Role reader, rule 2"
    assert told["detail"][-1]["number"] == 2 and told["detail"][-1]["rule"] == rules[1]
    assert all("why" in miss for miss in told["detail"][:-1]) and len(told["detail"]) > 1


def test_a_refusal_lists_near_misses_with_what_they_lack(desk: Desk) -> None:
    assert desk.ask("DELETE", f"{CM}/x", peer=JANE)[0] == 403
    told = stage(trace(desk), "authorization")
    assert told["outcome"] == "deny" and "none lets them delete configmaps" in told["reason"]
    near = next(miss for miss in told["detail"] if "reads" in miss["binding"])
    assert near["why"] == 'rule 2: its verbs are "list", not "delete"', "the rule that comes nearest"
    assert told["source"].startswith("cluster.apiserver.authorization.rbac:")


def test_every_authenticator_says_what_it_thought(desk: Desk) -> None:
    desk.ask("GET", CM)
    told = stage(trace(desk), "authentication")["detail"]
    assert [(row["authenticator"], row["answer"]) for row in told][1:] == [
        ("service-account-token", "not asked"),
        ("anonymous", "not asked"),
    ]
    desk.ask("GET", CM, peer=TlsPeer(), headers=(("authorization", "Bearer nonsense"),))
    told = stage(trace(desk), "authentication")
    assert told["outcome"] == "deny" and [row["answer"] for row in told["detail"]] == [
        "no credential of this kind",
        "invalid bearer token",
    ]


def test_a_conflict_says_which_revisions_and_a_refused_body_why(desk: Desk) -> None:
    _, made = desk.ask("POST", CM, {"metadata": {"name": "twice"}})
    desk.ask("PUT", f"{CM}/twice", {**made, "data": {"a": "1"}})
    assert desk.ask("PUT", f"{CM}/twice", {**made, "data": {"a": "2"}})[0] == 409
    told = trace(desk)
    first = made["metadata"]["resourceVersion"]
    assert stage(told, "strategy", "deny")["reason"].startswith(
        f"The body was made from revision {first}, the object is at revision "
    )
    assert stage(told, "response")["source"].startswith("cluster.apiserver.handlers.writing:")
    assert desk.ask("POST", f"{CM}?fieldValidation=Strict", {"metadata": {"name": "typo"}, "dta": {}})[0] == 400
    assert 'unknown field "dta"' in stage(trace(desk), "decoding", "deny")["reason"]
    bad = {"metadata": {"name": "Bad_Name"}}
    assert desk.ask("POST", CM, bad)[0] == 422
    assert stage(trace(desk), "validation", "deny")["detail"][0]["field"] == "metadata.name"


def test_an_update_shows_what_the_patch_makes_of_the_object(desk: Desk) -> None:
    desk.ask("POST", CM, {"metadata": {"name": "patched"}, "data": {"a": "1"}})
    body = json.dumps({"data": {"b": "2"}}).encode()
    code, _ = desk.ask("PATCH", f"{CM}/patched", body=body, headers=(("content-type", "application/merge-patch+json"),))
    assert code == 200
    told = stage(trace(desk), "decoding", "change")
    assert {"op": "add", "path": "/data/b", "value": "2"} in told["patch"]


def test_what_has_not_happened_yet_is_not_told(desk: Desk) -> None:
    desk.ask("POST", CM, {"metadata": {"name": "later"}})
    number = desk.request
    kept = desk.lab.scene() if hasattr(desk.lab, "scene") else None
    whole = trace(desk, number)
    from cluster.snapshot.requests import stages

    memory = desk.lab.recorder.memory if kept is None else kept.memory
    record = memory.traces[number]
    middle = next(s for s in record.stages if s.name == "decoding")
    early = stages(record, middle.start + 1)
    assert [s["name"] for s in early][-1] == "decoding" and early[-1]["outcome"] == "wait" and early[-1]["reason"] == ""
    assert len(early) < len(whole["stages"])


def test_the_nearest_that_ended_otherwise_is_suggested(desk: Desk) -> None:
    desk.ask("GET", "/api/v1/namespaces/default/secrets")
    allowed = desk.request
    desk.ask("GET", "/api/v1/namespaces/default/secrets", peer=JANE)
    told = desk.lab.query("nearest", id=desk.request)
    assert told["suggested"] == allowed and told["rows"][0]["id"] == allowed
    assert all(row["verb"] == "list" and row["resource"] == "secrets" for row in told["rows"])


# -- causes -------------------------------------------------------------------------------------------------------


def test_the_first_packet_reaches_the_new_endpoints(desk: Desk) -> None:
    packet = trace(desk, desk.deployment)["packet"]  # type: ignore[attr-defined]
    assert packet["service"] == "default/web" and packet["verdict"] == "DNAT" and packet["node"].startswith("node-")
    assert len(packet["endpoints"]) == 2 and packet["fresh"] == packet["endpoints"]
    assert any("--to-destination" in step["rule"] for step in packet["steps"])


# -- OpenTelemetry ------------------------------------------------------------------------------------------------


def as_protobuf(export: dict[str, Any]) -> ExportTraceServiceRequest:
    """Read OTLP/JSON as the specification says: like protobuf's JSON, but for ids in hex (protobuf's are base64)."""

    def ids(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64encode(bytes.fromhex(item)).decode()
                if key in ("traceId", "spanId", "parentSpanId")
                else ids(item)
                for key, item in value.items()
            }
        return [ids(item) for item in value] if isinstance(value, list) else value

    return json_format.ParseDict(
        ids(json.loads(json.dumps(export))), ExportTraceServiceRequest(), ignore_unknown_fields=False
    )


def test_the_export_is_what_the_official_proto_reads(desk: Desk) -> None:
    message = as_protobuf(desk.lab.query("otlp", id=desk.deployment))  # type: ignore[attr-defined]
    spans = [span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]
    assert {(len(span.trace_id), len(span.span_id)) for span in spans} == {(16, 8)}
    assert len({span.trace_id for span in spans}) == 1 and len({span.span_id for span in spans}) == len(spans)
    known = {span.span_id for span in spans}
    roots = [span for span in spans if not span.parent_span_id]
    assert len(roots) == 1 and all(span.parent_span_id in known for span in spans if span.parent_span_id)
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)
    facts = {a.key: a.value for a in roots[0].attributes}
    assert facts["http.request.method"].string_value == "POST" and facts["http.response.status_code"].int_value == 201
    assert facts["url.path"].string_value == "/apis/apps/v1/namespaces/default/deployments"
    assert facts["k8s.namespace.name"].string_value == "default" and roots[0].kind == 2
    services = {
        a.value.string_value for r in message.resource_spans for a in r.resource.attributes if a.key == "service.name"
    }
    assert {"kube-apiserver", "etcd", "kube-scheduler", "kube-controller-manager", "kubelet", "kube-proxy"} <= services
    etcd = next(span for span in spans if span.name == "etcd" and span.parent_span_id == roots[0].span_id)
    assert any(span.name == "propose" and span.parent_span_id == etcd.span_id for span in spans)


def test_a_refused_request_has_its_error_at_the_stage_that_refused(desk: Desk) -> None:
    desk.ask("GET", "/api/v1/namespaces/default/secrets", peer=JANE)
    message = as_protobuf(desk.lab.query("otlp", id=desk.request))
    spans = [span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]
    refused = next(span for span in spans if span.name == "authorization")
    assert refused.status.code == 2 and refused.status.message.startswith("RBAC: ")
    request = next(span for span in spans if not span.parent_span_id)
    assert request.status.code == 0, "semantic conventions: a 4xx is not the server's error"
