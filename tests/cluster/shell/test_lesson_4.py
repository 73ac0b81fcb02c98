"""Lesson 4, line by line as typed, in the browser console of a whole cluster (three control-plane hosts, three workers)."""

import re

import pytest

from tests.cluster.lab.desk import Desk

SERVER = "https://127.0.0.1:6443"
CA = "kubectl config view --minify --raw --output 'jsonpath={..cluster.certificate-authority-data}' | base64 -d > k8s-ca.cert"
TOKEN = (
    'TOKEN=$(kubectl get secret $(kubectl get sa default -ojsonpath="{.secrets[0].name}") '
    '-ojsonpath="{.data.token}" | base64 -d)'
)
GRANT = (
    "kubectl create clusterrolebinding default-cluster-admin --clusterrole cluster-admin "
    "--serviceaccount default:default"
)
BEARER = 'curl -k -H "Authorization: Bearer $TOKEN"'


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk.boot()


def test_every_line_as_typed(desk: Desk) -> None:
    out, err, code = desk.type("kubectl cluster-info")
    assert (err, code) == ("", 0)
    server = re.search(r"Kubernetes control plane is running at (\S+)", re.sub(r"\x1b\[[0-9;]*m", "", out))
    assert server and server[1] == SERVER

    out, err, code = desk.type(f"curl {SERVER}")
    assert code == 60 and out == ""
    assert err.startswith("curl: (60) SSL certificate problem: unable to get local issuer certificate\n")

    assert desk.type(CA) == ("", "", 0)
    out, _, _ = desk.type("head -1 k8s-ca.cert")
    assert out == "-----BEGIN CERTIFICATE-----\n"

    out, _, code = desk.type(f"curl -s --cacert k8s-ca.cert {SERVER}")
    assert code == 0 and '"code": 403' in out
    assert 'forbidden: User \\"system:anonymous\\" cannot get path \\"/\\"' in out

    assert desk.type(TOKEN) == ("", "", 0)
    out, _, _ = desk.type("echo $TOKEN | tr . '\\n' | wc -l")
    assert out.strip() == "3"
    out, _, _ = desk.type(f"{BEARER} -s {SERVER}/api/v1/nodes")
    assert 'User \\"system:serviceaccount:default:default\\" cannot list resource \\"nodes\\"' in out

    assert desk.type(GRANT) == ("clusterrolebinding.rbac.authorization.k8s.io/default-cluster-admin created\n", "", 0)
    out, _, code = desk.type(f"{BEARER} -s {SERVER}")
    assert code == 0 and '"/api/v1"' in out

    out, _, code = desk.type(f"{BEARER} -s -X GET {SERVER}/api/v1/nodes | grep -c '\"kubernetes.io/hostname\":'")
    assert (out, code) == ("6\n", 0)

    assert desk.type("kubectl run mynginx --image=nginx") == ("pod/mynginx created\n", "", 0)
    assert desk.type("kubectl wait --for=condition=Ready pod/mynginx --timeout=60s")[2] == 0
    out, _, _ = desk.type(f"{BEARER} -s -X GET {SERVER}/api/v1/namespaces/default/pods")
    assert '"name": "mynginx"' in out and '"phase": "Running"' in out
    out, _, code = desk.type(f"{BEARER} -s -X DELETE {SERVER}/api/v1/namespaces/default/pods/mynginx")
    assert code == 0 and '"deletionGracePeriodSeconds": 30' in out
    assert desk.type("kubectl wait --for=delete pod/mynginx --timeout=60s")[2] == 0
    out, err, code = desk.type("kubectl get pod mynginx")
    assert (out, err, code) == ("", 'Error from server (NotFound): pods "mynginx" not found\n', 1)


def test_what_can_go_wrong_on_the_way(desk: Desk) -> None:
    assert desk.type("kubctl get pods") == ("", "kubctl: command not found\n", 127)
    out, err, code = desk.type("kubectl get pods --foo")
    assert (out, code) == ("", 1) and err == "error: unknown flag: --foo\nSee 'kubectl get --help' for usage.\n"
    out, _, code = desk.type(f"curl -s -k -H 'Authorization: Bearer x' {SERVER}/api/v1/nodes")
    assert code == 0 and '"code": 401' in out
    out, err, code = desk.type(f"curl --cacert nothere {SERVER}")
    assert code == 77 and out == ""
    assert desk.type("echo $?")[0] == "77\n"


def test_a_watch_flows_through_grep(desk: Desk) -> None:
    out, _, code = desk.type("kubectl run flow --image=nginx && kubectl get pods -w | grep flow.*Running | head -1")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "pod/flow created" and lines[-1].startswith("flow") and "1/1" in lines[-1] and len(lines) == 2
