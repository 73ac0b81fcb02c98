"""The same workload on another cluster: a new one is made, and what people created in the old one is created there.

``POST /api/clusters/{c}/again`` with ``{name, topology, controlPlanes, etcdMembers}`` (what is left out is as in the old one) → the new cluster
with ``copied`` (how many objects) and ``refused`` (``["kind namespace/name: sentence"]``; a batch that could not be sent has an entry for each of
its objects).

What is copied is what nobody derives, of the kinds in ``COPIED``: no object that has an owner, none of the ``kube-`` namespaces, none that the new
cluster has by itself, no Events, Nodes or Leases. Status, uids, versions, nodes and cluster IPs are the new cluster's own.

Left out, and said on the page: custom resources (their definitions are copied), Endpoints and EndpointSlices that somebody wrote by hand, and webhooks and
admission policies, which would judge everything else that is copied.
"""

from typing import Annotated, Any, Literal

import yaml
from django.http import HttpRequest
from msgspec import Meta, Struct, json, structs

from explainer.api.calls import body_as, call
from explainer.api.calls import json as answer
from explainer.api.clusters import made
from explainer.gateway import desk
from explainer.runs import clusters
from explainer.runs.bus import Bus, Failed, Unavailable

COPIED = (
    "customresourcedefinitions", "namespaces", "priorityclasses", "storageclasses", "clusterroles", "clusterrolebindings", "roles", "rolebindings",
    "serviceaccounts", "configmaps", "secrets", "resourcequotas", "limitranges", "persistentvolumes", "persistentvolumeclaims", "services",
    "runtimeclasses", "ingressclasses", "networkpolicies", "poddisruptionbudgets", "pods", "replicationcontrollers", "replicasets", "deployments",
    "statefulsets", "daemonsets", "jobs", "cronjobs", "horizontalpodautoscalers", "ingresses",
)  # fmt: skip
"""In the order in which they are created."""
SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
META = ("name", "namespace", "labels", "annotations")
BATCH = 40


class AgainBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """See the module."""

    name: Annotated[str, Meta(max_length=40)]
    topology: Literal["stacked", "external"] | None = None
    control_planes: Annotated[int, Meta(ge=1, le=5)] | None = None
    etcd_members: Annotated[int, Meta(ge=1, le=9)] | None = None


@call("POST")
async def again(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Make it, wait until it is up, copy. 201."""
    body = body_as(request, AgainBody)
    old = bus.known[cluster]
    known = {field.encode_name for field in structs.fields(clusters.Options)}
    wished = {key: value for key, value in old.items() if key in known}
    wished |= {"name": body.name, "paused": False}
    for field, key in (("topology", "topology"), ("control_planes", "controlPlanes"), ("etcd_members", "etcdMembers")):
        if getattr(body, field) is not None:
            wished[key] = getattr(body, field)
    try:
        options = clusters.parse(json.encode(wished))
    except clusters.Refused as error:
        raise Failed(error.status, str(error)) from error
    if options.bare:
        raise Failed(422, "a cluster of etcd alone has no objects to copy")
    found = await _objects(bus, cluster)
    clock = await made(bus, options)
    have = {_key(kind, doc) for kind, doc in await _objects(bus, body.name)}
    docs = [cleaned(kind, doc) for kind, doc in found if _key(kind, doc) not in have]
    refused: list[str] = []
    for start in range(0, len(docs), BATCH):
        batch = docs[start : start + BATCH]
        try:
            rows = await desk.submit(body.name, yaml.safe_dump_all(batch), "apply", remote="127.0.0.1:0")
        except (desk.Refused, Unavailable, Failed) as error:
            said = error.error if isinstance(error, Failed) else str(error)
            refused += [_line(doc.get("kind", ""), doc["metadata"], said) for doc in batch]
            continue
        refused += [_refusal(row) for row in rows if row["problem"] or row["code"] >= 300]
    return answer({**bus.known[body.name], "clock": clock, "copied": len(docs) - len(refused), "refused": refused}, 201)


async def _objects(bus: Bus, cluster: str) -> list[tuple[str, dict[str, Any]]]:
    out: list[tuple[str, dict[str, Any]]] = []
    for resource in COPIED:
        try:
            rows = await bus.query(cluster, "objects", resource=resource)
        except Failed as error:
            if error.status != 404:  # 404: this version of Kubernetes has no such kind
                raise
            continue
        out += [(resource, doc) for doc in rows if isinstance(doc, dict) and wanted(resource, doc)]
    return out


def wanted(resource: str, doc: dict[str, Any]) -> bool:
    """Whether somebody created it on purpose."""
    meta = doc.get("metadata") or {}
    name, namespace = meta.get("name", ""), meta.get("namespace", "")
    if meta.get("ownerReferences") or namespace in SYSTEM or meta.get("deletionTimestamp"):
        return False
    if "kubernetes.io/config.mirror" in (meta.get("annotations") or {}):
        return False
    if (meta.get("labels") or {}).get("kubernetes.io/bootstrapping") or name.startswith(("system:", "kubeadm:")):
        return False
    if resource == "secrets" and doc.get("type") in (
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
    ):
        return False
    return not (name in ("kubernetes", "kube-root-ca.crt") and resource in ("services", "configmaps"))


def cleaned(resource: str, doc: dict[str, Any]) -> dict[str, Any]:
    """The object as somebody would have written it."""
    meta = {key: value for key, value in (doc.get("metadata") or {}).items() if key in META}
    notes = {
        key: value
        for key, value in (meta.get("annotations") or {}).items()
        if not key.startswith(("deployment.kubernetes.io/", "kubectl.kubernetes.io/last-applied"))
    }
    meta["annotations"] = notes
    if not notes:
        del meta["annotations"]
    out = {**{key: value for key, value in doc.items() if key != "status"}, "metadata": meta}
    spec = dict(doc.get("spec") or {})
    if resource == "services":
        for key in ("clusterIPs", "healthCheckNodePort"):
            spec.pop(key, None)
        if spec.get("clusterIP") != "None":
            spec.pop("clusterIP", None)
    if resource == "pods":
        spec.pop("nodeName", None)
    if resource == "persistentvolumeclaims":
        spec.pop("volumeName", None)
    if resource == "jobs":
        spec.pop("selector", None)
    if resource == "serviceaccounts":
        out.pop("secrets", None)
    if spec:
        out["spec"] = spec
    return out


def _key(resource: str, doc: dict[str, Any]) -> tuple[str, str, str]:
    meta = doc["metadata"]
    return resource, meta.get("namespace", ""), meta["name"]


def _refusal(row: dict[str, Any]) -> str:
    said = row["problem"] or (row["status"] or {}).get("message", "") or f"code {row['code']}"
    return _line(row["kind"], row, said)


def _line(kind: str, names: dict[str, Any], said: str) -> str:
    place = "/".join(part for part in (names.get("namespace"), names["name"]) if part)
    return f"{kind} {place}: {said}"
