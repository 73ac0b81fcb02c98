"""Discovery documents are those of a real kube-apiserver 1.32, byte for byte once indented alike."""

import json
from pathlib import Path

import pytest

from cluster.api.scheme import builtin
from cluster.apiserver import discovery
from cluster.apiserver.openapi import OpenAPI

DATA = Path(__file__).parent / "data"
SCHEME = builtin()


def recorded(name: str) -> str:
    return (DATA / f"{name}.txt").read_text().strip()


def text(doc: object) -> str:
    return json.dumps(doc, indent=2, ensure_ascii=False)


@pytest.mark.parametrize(
    ("name", "doc"),
    [
        ("b07-api", discovery.api_versions("192.168.49.2:16443")),
        ("b08-apis", discovery.group_list(SCHEME)),
        ("b09-api-v1", discovery.resource_list(SCHEME, "", "v1")),
        ("b10-apis-apps", discovery.group(SCHEME, "apps")),
        ("b11-apis-apps-v1", discovery.resource_list(SCHEME, "apps", "v1")),
        ("b12-apis-batch-v1", discovery.resource_list(SCHEME, "batch", "v1")),
        ("b13-apis-rbac-v1", discovery.resource_list(SCHEME, "rbac.authorization.k8s.io", "v1")),
        ("a19-token-root-after", discovery.root_paths(SCHEME)),
        ("b15-openapi-v3-index", OpenAPI(SCHEME).paths()),
    ],
)
def test_document_is_as_recorded(name: str, doc: object) -> None:
    assert text(doc) == recorded(name)


def test_aggregated_discovery_of_pods_is_as_recorded() -> None:
    doc = discovery.aggregated(SCHEME, legacy=True)
    version = doc["items"][0]["versions"][0]
    pods = next(each for each in version["resources"] if each["resource"] == "pods")
    parts = [doc["kind"], doc["apiVersion"], version["version"], version["freshness"], len(version["resources"]), pods]
    assert "\n".join(text(part) for part in parts) == recorded("b14-aggregated-discovery")


def test_aggregated_discovery_names_foreign_kinds_of_subresources() -> None:
    apps = discovery.aggregated(SCHEME, legacy=False, version="v2beta1")
    assert apps["apiVersion"] == "apidiscovery.k8s.io/v2beta1"
    group = next(each for each in apps["items"] if each["metadata"]["name"] == "apps")
    deployments = next(each for each in group["versions"][0]["resources"] if each["resource"] == "deployments")
    scale = next(each for each in deployments["subresources"] if each["subresource"] == "scale")
    assert scale["responseKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", "v2"),
        ("application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io", "v2beta1"),
        ("application/json,application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", None),
        ("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList", None),
        ("", None),
    ],
)
def test_aggregated_version_of_an_accept_header(accept: str, version: str | None) -> None:
    assert discovery.aggregated_version(accept) == version


def test_versions_are_ordered_as_clients_prefer() -> None:
    versions = ["v1alpha1", "v1", "foo", "v2beta1", "v2", "v1beta10", "v1beta2"]
    ordered = sorted(versions, key=discovery.version_key)
    assert ordered == ["v2", "v1", "v2beta1", "v1beta10", "v1beta2", "v1alpha1", "foo"]


def test_unknown_groups_are_none() -> None:
    assert discovery.group(SCHEME, "nope.example.com") is None
    assert discovery.resource_list(SCHEME, "apps", "v7") is None
