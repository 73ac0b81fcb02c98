"""The main job with real clients against the real world: kubectl, curl, and kill -9 during creates. Needs kubectl and curl on PATH."""

import base64
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.product import Product, need, wait_for


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with the demo cluster."""
    need("bash", "curl", "kubectl")
    running = Product(tmp_path_factory.mktemp("live")).start()
    try:
        yield running
    finally:
        running.stop()


def run(live: Product, line: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """A shell line as somebody types it in a terminal, with KUBECONFIG set."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(live.data),
        "KUBECONFIG": str(live.data / "kubeconfig"),
        "KUBECACHEDIR": str(live.data / "cache"),
        "SERVER": f"https://127.0.0.1:{live.api_port}",
    }
    return subprocess.run(
        ["bash", "-c", line], env=environment, cwd=live.data, capture_output=True, text=True, timeout=timeout
    )


def test_kubectl_sees_the_cluster(live: Product) -> None:
    assert "Server Version: v1.32" in run(live, "kubectl version").stdout
    assert f"https://127.0.0.1:{live.api_port}" in run(live, "kubectl cluster-info").stdout
    nodes = run(live, "kubectl get nodes -o wide --no-headers").stdout.splitlines()
    assert len(nodes) == 6 and all(" Ready " in line for line in nodes)


def test_a_deployment_becomes_pods_and_a_service_gets_endpoints(live: Product) -> None:
    assert run(live, "kubectl create deployment web --image=nginx --replicas=3").returncode == 0
    assert run(live, "kubectl rollout status deployment web --timeout=50s").returncode == 0
    assert run(live, "kubectl expose deployment web --port=80").returncode == 0
    wait_for(
        lambda: (
            run(live, "kubectl get endpoints web -o jsonpath='{.subsets[*].addresses[*].ip}'").stdout.count("10.244.")
            == 3
        ),
        "three endpoints",
    )
    address = run(live, "kubectl get service web -o jsonpath='{.spec.clusterIP}'").stdout
    wait_for(
        lambda: f"-d {address}/32" in live.call("GET", "/api/clusters/demo/nodes/node-1/rules")[1],
        "the rules on node-1",
    )


def test_lesson_four_as_typed(live: Product) -> None:
    assert run(live, "curl $SERVER").returncode == 60
    authority = "kubectl config view --minify --raw --output 'jsonpath={..cluster.certificate-authority-data}' | base64 -d > k8s-ca.cert"
    assert run(live, authority).returncode == 0
    forbidden = run(live, "curl -s --cacert k8s-ca.cert $SERVER").stdout
    assert 'User \\"system:anonymous\\" cannot get path \\"/\\"' in forbidden
    token = (
        'TOKEN=$(kubectl get secret $(kubectl get sa default -ojsonpath="{.secrets[0].name}") '
        '-ojsonpath="{.data.token}" | base64 -d); '
    )
    grant = "kubectl create clusterrolebinding default-cluster-admin --clusterrole cluster-admin --serviceaccount default:default"
    assert run(live, grant).returncode == 0
    curl = token + 'curl -s -k -H "Authorization: Bearer $TOKEN" '
    assert '"/api/v1"' in run(live, curl + "$SERVER").stdout
    assert '"kind": "NodeList"' in run(live, curl + "-X GET $SERVER/api/v1/nodes").stdout
    assert run(live, "kubectl run mynginx --image=nginx").returncode == 0
    assert '"mynginx"' in run(live, curl + "-X GET $SERVER/api/v1/namespaces/default/pods").stdout
    assert '"mynginx"' in run(live, curl + "-X DELETE $SERVER/api/v1/namespaces/default/pods/mynginx").stdout
    assert run(live, "kubectl wait --for=delete pod/mynginx --timeout=50s").returncode == 0


def test_jane_is_known_but_may_nothing(live: Product) -> None:
    (live.data / "jane").write_text(live.call("GET", "/clusters/demo/kubeconfig?user=jane&group=dev")[1])
    said = run(live, "kubectl --kubeconfig jane get pods").stderr
    assert 'User "jane" cannot list resource "pods"' in said


def test_a_body_of_three_megabytes_is_too_large(live: Product) -> None:
    manifest = live.data / "big.json"
    manifest.write_text(
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"big"},"data":{"a":"%s"}}' % ("x" * 3_500_000)
    )
    said = run(live, "kubectl create -f big.json").stderr
    assert "Request entity too large: limit is 3145728" in said


def test_a_watch_and_creates_survive_kill_nine(live: Product, tmp_path: Path) -> None:
    pems = credentials(live, tmp_path)
    acknowledged: list[str] = []
    going = True

    def create() -> None:
        connection, number = live.tls(20, pems), 0
        while going:
            number += 1
            body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"k%d"}}' % number
            try:
                connection.request(
                    "POST", "/api/v1/namespaces/default/configmaps", body, {"Content-Type": "application/json"}
                )
                answer = connection.getresponse()
                answer.read()
                if answer.status == 201:
                    acknowledged.append(f"k{number}")
            except Exception:
                connection.close()
                connection = live.tls(20, pems)

    thread = threading.Thread(target=create, daemon=True)
    thread.start()
    for word in ("runsim", "redis-server", "web"):
        before = len(acknowledged)
        wait_for(lambda before=before: len(acknowledged) > before + 20, f"creates before {word} is killed", 60)
        os.kill(live.child(word).pid, signal.SIGKILL)
        after = len(acknowledged)
        wait_for(lambda after=after: len(acknowledged) > after + 20, f"creates after {word} was killed", 60)
    going = False
    thread.join(30)
    there = run(live, "kubectl get configmaps -o name").stdout
    names = {line.removeprefix("configmap/") for line in there.split()}
    assert set(acknowledged) <= names
    assert "replay ended" not in live.output()


def credentials(live: Product, folder: Path) -> tuple[str, str]:
    """The admin's certificate and key as files."""
    user = yaml.safe_load((live.data / "kubeconfig").read_text())["users"][0]["user"]
    paths = []
    for what in ("certificate", "key"):
        path = folder / f"{what}.pem"
        path.write_bytes(base64.b64decode(user[f"client-{what}-data"]))
        paths.append(str(path))
    return paths[0], paths[1]
