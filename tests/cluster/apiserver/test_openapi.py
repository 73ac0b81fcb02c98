"""The OpenAPI documents hang together, and the real kubectl explains from them what it explains from a real server."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cluster.api.scheme import builtin
from cluster.apiserver import discovery
from cluster.apiserver.openapi import OpenAPI, custom_name

DATA = Path(__file__).parent / "data"
SCHEME = builtin()
OPENAPI = OpenAPI(SCHEME)
KUBECTL = shutil.which("kubectl")


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.parametrize("path", [each for each in OPENAPI.paths() if each.count("/") == 2 or each == "api/v1"])
def test_every_reference_is_defined_in_the_same_document(path: str) -> None:
    body = OPENAPI.v3(path)
    assert body is not None
    document = json.loads(body)
    schemas = document["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} <= set(schemas)
    assert document["paths"]


def test_swagger_as_recorded() -> None:
    document = json.loads(OPENAPI.v2())
    assert document["swagger"] == "2.0"
    assert document["info"] == {"title": "Kubernetes", "version": "1.32"}
    assert document["paths"]["/api/v1/namespaces/{namespace}/pods"]["get"]["operationId"] == "listCoreV1NamespacedPod"
    assert document["definitions"]["io.k8s.api.core.v1.Container"]["required"] == ["name"]
    assert {ref.removeprefix("#/definitions/") for ref in references(document)} <= set(document["definitions"])


def test_merge_keys_and_field_validation_are_there() -> None:
    document = json.loads(OPENAPI.v3("apis/apps/v1") or b"")
    pod_spec = document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]
    assert pod_spec["containers"]["x-kubernetes-patch-merge-key"] == "name"
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in [each["name"] for each in patch["parameters"]]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}


def test_hashes_differ_and_unknown_paths_are_none() -> None:
    index = json.loads(OPENAPI.index())["paths"]
    assert len({each["serverRelativeURL"] for each in index.values()}) == len(index)
    assert OPENAPI.v3("apis/nope/v1") is None


def test_names_of_custom_kinds() -> None:
    assert custom_name("example.com", "v1", "Widget") == "com.example.v1.Widget"


class Handler(BaseHTTPRequestHandler):
    """Just enough of a server for ``kubectl explain``."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        aggregated = discovery.aggregated_version(self.headers.get("Accept", ""))
        body: Any = None
        kind = "application/json"
        if path in ("/api", "/apis") and aggregated:
            body = discovery.aggregated(SCHEME, legacy=path == "/api", version=aggregated)
            kind = f"application/json;g=apidiscovery.k8s.io;v={aggregated};as=APIGroupDiscoveryList"
        elif path == "/version":
            body = {"major": "1", "minor": "32", "gitVersion": "v1.32.13"}
        elif path == "/openapi/v3":
            body = OPENAPI.index()
        elif path.startswith("/openapi/v3/"):
            body = OPENAPI.v3(path.removeprefix("/openapi/v3/"))
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_address[1]}"
    listening.shutdown()


@pytest.mark.skipif(KUBECTL is None, reason="no kubectl on this machine")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("f14-explain-pod", ["pod"]),
        ("f15-explain-field", ["deployment.spec.strategy"]),
        ("f16-explain-recursive", ["service.spec", "--recursive"]),
    ],
)
def test_real_kubectl_explains_as_recorded(server: str, tmp_path: Path, name: str, arguments: list[str]) -> None:
    assert KUBECTL is not None
    command = [KUBECTL, "--server", server, "--cache-dir", str(tmp_path), "explain", *arguments]
    environment = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == (DATA / f"{name}.txt").read_text().strip()


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a protobuf message; of the others only the length."""

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 128:
                return value, at

    at = 0
    while at < len(data):
        tag, at = varint(at)
        if tag & 7 == 2:
            size, at = varint(at)
            yield tag >> 3, data[at : at + size]
            at += size
        elif tag & 7 == 1:
            at += 8
        else:
            _, at = varint(at)


def one(data: bytes, *path: int) -> bytes:
    for number in path:
        data = next(value for key, value in fields(data) if key == number)
    return data


def test_the_swagger_document_is_the_same_as_protobuf() -> None:
    document, proto = json.loads(OPENAPI.v2()), OPENAPI.v2_proto()
    paths = {one(entry, 1).decode(): one(entry, 2) for key, entry in fields(one(proto, 8)) if key == 2}
    assert list(paths) == list(document["paths"])
    pods = one(paths["/api/v1/namespaces/{namespace}/pods"], 4)  # post
    assert one(pods, 5) == b"createCoreV1NamespacedPod"
    asked = [one(one(each, 1, 2, 3), 4).decode() for key, each in fields(pods) if key == 8]
    assert "fieldValidation" in asked
    schemas = {one(entry, 1).decode(): one(entry, 2) for _, entry in fields(one(proto, 9))}
    assert list(schemas) == list(document["definitions"])
    service = schemas["io.k8s.api.core.v1.ServiceSpec"]
    properties = {one(entry, 1).decode(): one(entry, 2) for _, entry in fields(one(service, 25))}
    expected = document["definitions"]["io.k8s.api.core.v1.ServiceSpec"]["properties"]
    assert list(properties) == list(expected)
    assert one(properties["ports"], 23, 1, 1).decode() == expected["ports"]["items"]["$ref"]
    extensions = {one(e, 1).decode(): json.loads(one(e, 2, 2)) for key, e in fields(properties["ports"]) if key == 31}
    assert extensions == {key: value for key, value in expected["ports"].items() if key.startswith("x-")}
