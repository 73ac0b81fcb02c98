"""The JSON gateway: documents as a real etcd prints them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from cluster.etcd import gateway
from cluster.wire import etcd as w

from .support import Cluster

HEADER = {"cluster_id": "77", "member_id": "4097", "raft_term": "2"}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Curl:
    """POST to a one-member cluster."""

    def __init__(self) -> None:
        self.cluster = Cluster(1)
        self.cluster.wait_leader()
        self.cluster.run(1)

    def __call__(self, path: str, **body: object) -> tuple[int, Any]:
        request = gateway.request(path, json.dumps(body).encode(), self.cluster.next_id())
        self.cluster.post("m1", request)
        self.cluster.run(0.1)
        return gateway.response(self.cluster.got[-1][2])


def test_a_session() -> None:
    curl = Curl()
    key, value = b64(b"foo"), b64(b"bar")
    assert curl("/v3/kv/put", key=key, value=value) == (200, {"header": {**HEADER, "revision": "2"}})
    kv = {"key": key, "create_revision": "2", "mod_revision": "2", "version": "1", "value": value}
    assert curl("/v3/kv/range", key=key) == (200, {"header": {**HEADER, "revision": "2"}, "kvs": [kv], "count": "1"})
    assert curl("/v3/kv/range", key=b64(b"no")) == (200, {"header": {**HEADER, "revision": "2"}})
    compare = {"key": key, "target": "VERSION", "result": "EQUAL", "version": "1"}
    done = curl("/v3/kv/txn", compare=[compare], success=[{"requestRange": {"key": key}}])[1]
    assert done["succeeded"] is True
    assert done["responses"] == [{"response_range": {"header": {"revision": "2"}, "kvs": [kv], "count": "1"}}]
    failed = curl("/v3/kv/txn", compare=[{**compare, "version": 9}], success=[{"requestRange": {"key": key}}])
    assert failed == (200, {"header": {**HEADER, "revision": "2"}})
    gone = curl("/v3/kv/deleterange", key=key, prev_kv=True)[1]
    assert (gone["deleted"], gone["prev_kvs"]) == ("1", [kv])


def test_leases_members_and_maintenance() -> None:
    curl = Curl()
    granted = curl("/v3/lease/grant", TTL="60", ID=7)[1]
    assert (granted["ID"], granted["TTL"]) == ("7", "60")
    assert curl("/v3/lease/timetolive", ID="7")[1]["grantedTTL"] == "60"
    assert curl("/v3/kv/lease/leases")[1]["leases"] == [{"ID": "7"}]
    assert curl("/v3/lease/timetolive", ID="8") == (
        200,
        {"header": {**HEADER, "revision": "1"}, "ID": "8", "TTL": "-1"},
    )
    status = curl("/v3/maintenance/status")[1]
    assert (status["leader"], status["raftIndex"], status["dbSize"]) == ("4097", "5", "20480")
    members = curl("/v3/cluster/member/list")[1]["members"]
    assert members == [
        {"ID": "4097", "name": "etcd-1", "peerURLs": ["https://h1:2380"], "clientURLs": ["https://h1:2379"]}
    ]
    assert curl("/v3/maintenance/alarm") == (200, {})
    assert curl("/v3/lease/revoke", ID="7")[0] == 200


def test_errors_carry_text_code_and_status() -> None:
    curl = Curl()
    text = "etcdserver: requested lease not found"
    assert curl("/v3/lease/revoke", ID="9") == (404, {"error": text, "message": text, "code": 5})
    assert curl("/v3/kv/put", key="")[0] == 400
    assert gateway.response(w.EtcdError(1, 14, "etcdserver: request timed out"))[0] == 503
    assert gateway.response(w.EtcdError(1, 8, "etcdserver: mvcc: database space exceeded"))[0] == 429
    assert gateway.response(w.EtcdError(1, 2, "context deadline exceeded"))[0] == 500


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/v3/kv/put", b"{", "unexpected EOF"),
        ("/v3/kv/put", b"[]", "json: cannot unmarshal array into Go value of type map[string]json.RawMessage"),
        ("/v3/kv/put", b'{"key": 1}', "json: cannot unmarshal number into Go value of type []uint8"),
        ("/v3/kv/put", b'{"key": "%%"}', "illegal base64 data at input byte 0"),
        ("/v3/kv/put", b'{"key": "Zm9"}', "illegal base64 data at input byte 0"),
        ("/v3/kv/put", b'{"key": "Zm-_"}', "illegal base64 data at input byte 2"),
        ("/v3/kv/put", b'{"key": "Zg==Zg=="}', "illegal base64 data at input byte 4"),
        (
            "/v3/kv/put",
            b'{"key": "Zm9v", "lease": 5.5}',
            "json: cannot unmarshal number 5.5 into Go value of type int64",
        ),
        ("/v3/kv/put", b'{"key": "Zm9v", "lease": "x"}', "invalid character 'x' looking for beginning of value"),
        ("/v3/kv/put", b'{"key": "Zm9v" "lease": 1}', "invalid character '\"' after object key:value pair"),
        ("/v3/kv/put", b'{"key": trux}', "invalid character 'x' in literal true (expecting 'e')"),
        ("/v3/kv/range", b'{"sort_order": "UP"}', 'unknown value "UP" for enum etcdserverpb.RangeRequest_SortOrder'),
    ],
)
def test_bad_input(path: str, body: bytes, says: str) -> None:
    """As etcd 3.4.23 answered."""
    with pytest.raises(gateway.GatewayError) as refused:
        gateway.request(path, body, 1)
    assert refused.value.status == 400
    assert refused.value.document == {"error": says, "message": says, "code": 3}


def test_an_unknown_path_is_plain_text() -> None:
    with pytest.raises(gateway.GatewayError) as refused:
        gateway.request("/v3/kv/nothing", b"{}", 1)
    assert (refused.value.status, refused.value.document) == (404, "Not Found\n")


@pytest.mark.parametrize(
    "body", [b'{"key": "Zm9v"} and more', b'{"key": "Zm9v", "kex": 1}', b'{"key": "Zm9v", "value": null}']
)
def test_what_go_passes_over(body: bytes) -> None:
    assert gateway.request("/v3/kv/put", body, 1).key == b"foo"


def test_of_a_group_the_last_counts() -> None:
    body = b'{"compare": [{"key": "eA==", "target": "MOD", "mod_revision": 1, "version": 2}]}'
    assert gateway.request("/v3/kv/txn", body, 1).compare[0].value == 0


def test_watch_lines() -> None:
    curl = Curl()
    c = curl.cluster
    c.post("m1", gateway.request("/v3/watch", json.dumps({"create_request": {"key": b64(b"k")}}).encode(), 5))
    c.put("m1", b"k", b"v")
    c.ask("m1", w.DeleteRangeRequest, b"k")
    c.run(0.1)
    created, put, delete = [gateway.stream_line(response)["result"] for response in c.watched(5)]
    assert created == {"header": {**HEADER, "revision": "1"}, "created": True}
    kv = {"key": b64(b"k"), "create_revision": "2", "mod_revision": "2", "version": "1", "value": b64(b"v")}
    assert put["events"] == [{"kv": kv}]
    assert delete["events"] == [{"type": "DELETE", "kv": {"key": b64(b"k"), "mod_revision": "3"}}]


def test_users_and_roles_as_a_real_etcd_answered() -> None:
    """``data/auth.txt``: what etcd 3.4.23 said to each request in turn. 3.5's gateway maps code 9 to 400 instead of 412."""
    curl = Curl()
    for line in (Path(__file__).parent / "data" / "auth.txt").read_text().splitlines():
        asked, _, said = line.partition(" -> ")
        path, _, body = asked.partition(" ")
        status, _, text = said.partition(" ")
        wanted = json.loads(text)
        try:
            found = curl("/v3/" + path, **json.loads(body))
        except gateway.GatewayError as refusal:
            found = (refusal.status, refusal.document)
        got = {**found[1], **({"header": wanted["header"]} if "header" in found[1] else {})}
        assert (found[0], got) == (400 if status == "412" else int(status), wanted), line
    assert curl("/v3/auth/status")[1]["authRevision"] == "22"  # the real one's metric says so, too
    curl("/v3/auth/user/add", name="root", password="secret")
    curl("/v3/auth/user/grant", user="root", role="root")
    assert "keeps authentication off" in curl("/v3/auth/enable")[1]["error"]
    assert "secret" not in repr(curl.cluster.world.state.disks["m1"].synced)


def test_the_version_is_the_clusters_own() -> None:
    c = Cluster(1)
    version = c.ask(c.wait_leader().name, w.VersionRequest)
    assert gateway.response(version)[1]["etcdcluster"] == "3.5.0"
    assert gateway.response(w.VersionResponse(1, ""))[1]["etcdcluster"] == "not_decided"


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("/v3/lease/grant", "ID", 1 << 63),
        ("/v3/kv/range", "limit", str(-(1 << 63) - 1)),
        ("/v3/cluster/member/remove", "ID", -1),
        ("/v3/cluster/member/remove", "ID", 1 << 64),
    ],
)
def test_a_number_that_does_not_fit_is_refused(path: str, field: str, value: object) -> None:
    with pytest.raises(gateway.GatewayError) as refused:
        gateway.request(path, json.dumps({field: value}).encode(), 1)
    assert refused.value.status == 400


def test_a_members_id_uses_all_64_bits() -> None:
    assert gateway.request("/v3/cluster/member/remove", b'{"ID": "18446744073709551615"}', 1).member == (1 << 64) - 1


@pytest.mark.parametrize("urls", [[], ["m4"], ["ftp://m4:2380"], ["https://m4"], ["https://m4:2380/path"]])
def test_a_member_needs_urls_that_are_some(urls: list[str]) -> None:
    text = "etcdserver: given member URLs are invalid"
    curl = Curl()
    assert curl("/v3/cluster/member/add", peerURLs=urls) == (400, {"error": text, "message": text, "code": 3})
    assert curl("/v3/maintenance/status")[0] == 200


def test_a_snapshot_is_told_in_pieces_as_etcd_does() -> None:
    curl = Curl()
    assert curl("/v3/lease/grant", TTL="60", ID=-5)[0] == 200  # a lease's id may be any int64
    curl("/v3/maintenance/snapshot")
    answer = curl.cluster.got[-1][2]
    assert isinstance(answer, w.SnapshotResponse)
    pieces = [line["result"] for line in gateway.snapshot_lines(answer)]
    sizes = [len(base64.b64decode(piece["blob"])) for piece in pieces]
    left = [int(piece.get("remaining_bytes", "0")) for piece in pieces]
    assert (sizes[-1], sum(sizes)) == (32, len(answer.blob))
    assert left == [sum(sizes[n + 1 : -1]) for n in range(len(sizes))]
    assert all(set(piece) <= {"blob", "remaining_bytes"} for piece in pieces)


def test_what_could_break_a_member_is_refused_by_name() -> None:
    curl = Curl()
    for body in ({"action": 9}, {"alarm": 7, "memberID": "5"}):
        assert curl("/v3/maintenance/alarm", **body)[0] == 400
    assert curl("/v3/kv/txn", compare=[{"key": "eA==", "target": 9}])[0] == 400
    assert curl("/v3/kv/range", key="eA==", sort_target=7)[1]["error"] == "etcdserver: invalid sort option"
    assert curl("/v3/kv/txn", success=[{}])[1]["error"] == "etcdserver: key not found"
    assert curl("/v3/maintenance/alarm", action="ACTIVATE", memberID="5", alarm="NONE")[0] == 200
    assert curl("/v3/maintenance/snapshot")[0] == 200


def test_a_limit_or_revision_below_nothing_is_none() -> None:
    curl = Curl()
    curl("/v3/kv/put", key="eA==", value="MQ==")
    for odd in ({"revision": "-3"}, {"limit": "-5", "range_end": "AA=="}):
        assert curl("/v3/kv/range", key="eA==", **odd)[1]["count"] == "1"
