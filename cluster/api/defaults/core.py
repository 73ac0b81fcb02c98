"""Defaults of the core group without pods, and of discovery.

Simplified here: nothing that a default feature set does.

Upstream: pkg/apis/core/v1/defaults.go, conversion.go; pkg/apis/discovery/v1/defaults.go.
"""

from base64 import b64encode
from typing import Any

Doc = dict[str, Any]


def _namespace(doc: Doc) -> None:
    metadata = doc.setdefault("metadata", {})
    if metadata.get("name"):
        metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]
    status = doc.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Active"


def _secret(doc: Doc) -> None:
    if not doc.get("type"):
        doc["type"] = "Opaque"
    plain = doc.pop("stringData", None)
    if plain:
        data = doc.setdefault("data", {})
        for key, text in plain.items():
            data[key] = b64encode(text.encode()).decode()


def _service(doc: Doc) -> None:
    spec = doc.setdefault("spec", {})
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.get("sessionAffinityConfig")
        if not config or not config.get("clientIP") or config["clientIP"].get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    if not spec.get("type"):
        spec["type"] = "ClusterIP"
    for port in spec.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
    kind = spec["type"]
    external = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and spec.get("externalIPs"))
    if external and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if kind in ("NodePort", "LoadBalancer", "ClusterIP"):
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in (doc.get("status", {}).get("loadBalancer") or {}).get("ingress") or ():
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def _endpoints(doc: Doc) -> None:
    for subset in doc.get("subsets") or ():
        for port in subset.get("ports") or ():
            if not port.get("protocol"):
                port["protocol"] = "TCP"


def _endpoint_slice(doc: Doc) -> None:
    for port in doc.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _node(doc: Doc) -> None:
    status = doc.setdefault("status", {})
    if not status.get("allocatable") and status.get("capacity"):
        status["allocatable"] = dict(status["capacity"])


def _persistent_volume(doc: Doc) -> None:
    status = doc.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Pending"
    spec = doc.setdefault("spec", {})
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    spec.setdefault("volumeMode", "Filesystem")
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")


def claim(doc: Doc) -> None:
    """A PersistentVolumeClaim, alone or as a StatefulSet's template."""
    status = doc.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Pending"
    doc.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def _limit_range(doc: Doc) -> None:
    for item in (doc.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        if item.get("max"):
            item["default"] = {**item["max"], **(item.get("default") or {})}
        if item.get("default"):
            item["defaultRequest"] = {**item["default"], **(item.get("defaultRequest") or {})}
        if item.get("min"):
            item["defaultRequest"] = {**item["min"], **(item.get("defaultRequest") or {})}


DEFAULTS = {
    ("", "v1", "Namespace"): _namespace,
    ("", "v1", "Secret"): _secret,
    ("", "v1", "Service"): _service,
    ("", "v1", "Endpoints"): _endpoints,
    ("", "v1", "Node"): _node,
    ("", "v1", "PersistentVolume"): _persistent_volume,
    ("", "v1", "PersistentVolumeClaim"): claim,
    ("", "v1", "LimitRange"): _limit_range,
    ("discovery.k8s.io", "v1", "EndpointSlice"): _endpoint_slice,
}
