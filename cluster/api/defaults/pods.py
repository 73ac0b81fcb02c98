"""Defaults of Pods and of every pod template: ports, probes, policies, volumes.

Simplified here: nothing that a default feature set does.

Upstream: pkg/apis/core/v1/defaults.go, zz_generated.defaults.go.
"""

from typing import Any

from cluster.api import quantity

Doc = dict[str, Any]


def image_tag_is_latest(image: str) -> bool:
    """Whether the image's tag is ``latest``, said or implied. An empty image has none."""
    if not image:
        return False
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if not tag:
        return not digest
    return tag == "latest"


def _probe(probe: Doc | None) -> None:
    if probe is None:
        return
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not probe.get(name):
            probe[name] = value
    _http_get(probe.get("httpGet"))
    grpc = probe.get("grpc")
    if grpc is not None:
        grpc.setdefault("service", "")


def _http_get(action: Doc | None) -> None:
    if action is not None:
        if not action.get("path"):
            action["path"] = "/"
        if not action.get("scheme"):
            action["scheme"] = "HTTP"


def _resources(resources: Doc | None) -> None:
    """Amounts finer than a thousandth are rounded up."""
    for kind in ("limits", "requests"):
        amounts: Doc = (resources or {}).get(kind) or {}
        for name, text in amounts.items():
            amount = quantity.parse(text)
            if amount.nano % 1_000_000:
                amounts[name] = quantity.from_milli(amount.milli(), amount.format).text()


def _container(container: Doc) -> None:
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    if not container.get("imagePullPolicy"):
        latest = image_tag_is_latest(container.get("image", ""))
        container["imagePullPolicy"] = "Always" if latest else "IfNotPresent"
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        if source:
            _field_ref(source.get("fieldRef"))
    if container.get("resources"):
        _resources(container["resources"])
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _probe(container[name])
    for handler in (container.get("lifecycle") or {}).values():
        if handler:
            _http_get(handler.get("httpGet"))


def _field_ref(reference: Doc | None) -> None:
    if reference is not None and not reference.get("apiVersion"):
        reference["apiVersion"] = "v1"


def volume(source: Doc) -> None:
    """One volume; without a source it is an emptyDir."""
    kind = next((k for k in source if k != "name"), "")
    if not kind:
        source["emptyDir"] = {}
        return
    inner = source[kind]
    if kind in ("secret", "configMap", "downwardAPI", "projected"):
        inner.setdefault("defaultMode", 420)
    if kind == "hostPath":
        inner.setdefault("type", "")
    elif kind == "downwardAPI":
        for item in inner.get("items") or ():
            _field_ref(item.get("fieldRef"))
    elif kind == "projected":
        for projection in inner.get("sources") or ():
            token = projection.get("serviceAccountToken")
            if token is not None and not token.get("expirationSeconds"):
                token["expirationSeconds"] = 3600
            for item in (projection.get("downwardAPI") or {}).get("items") or ():
                _field_ref(item.get("fieldRef"))
    elif kind == "iscsi":
        if not inner.get("iscsiInterface"):
            inner["iscsiInterface"] = "default"
    elif kind == "rbd":
        for name, value in (("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")):
            if not inner.get(name):
                inner[name] = value
    elif kind == "azureDisk":
        for name, value in (("cachingMode", "ReadWrite"), ("kind", "Shared"), ("fsType", "ext4"), ("readOnly", False)):
            inner.setdefault(name, value)
    elif kind == "scaleIO":
        for name, value in (("storageMode", "ThinProvisioned"), ("fsType", "xfs")):
            if not inner.get(name):
                inner[name] = value
    elif kind == "ephemeral":
        inner.get("volumeClaimTemplate", {}).get("spec", {}).setdefault("volumeMode", "Filesystem")


def pod_spec(spec: Doc) -> None:
    """A pod's spec, in a Pod or in a template."""
    for name, value in (
        ("dnsPolicy", "ClusterFirst"), ("restartPolicy", "Always"), ("schedulerName", "default-scheduler"),
    ):  # fmt: skip
        if not spec.get(name):
            spec[name] = value
    spec.setdefault("terminationGracePeriodSeconds", 30)
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            _container(container)
    for each in spec.get("volumes") or ():
        volume(each)


def template(owner: Doc) -> None:
    """``owner["template"]["spec"]``."""
    found = owner.get("template")
    if found is not None:
        pod_spec(found.setdefault("spec", {}))


def _host_ports(spec: Doc) -> None:
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            for port in container.get("ports") or ():
                if not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort", 0)


def _pod(doc: Doc) -> None:
    spec = doc.setdefault("spec", {})
    pod_spec(spec)
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            resources = container.get("resources")
            limits = (resources or {}).get("limits")
            if limits:
                requests = resources.setdefault("requests", {})
                for name, amount in limits.items():
                    requests.setdefault(name, amount)
    spec.setdefault("enableServiceLinks", True)
    if spec.get("hostNetwork"):
        _host_ports(spec)


def _pod_template(doc: Doc) -> None:
    template(doc)


def _replication_controller(doc: Doc) -> None:
    spec = doc.setdefault("spec", {})
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        metadata = doc.setdefault("metadata", {})
        if not metadata.get("labels"):
            metadata["labels"] = dict(labels)
    spec.setdefault("replicas", 1)
    template(spec)


DEFAULTS = {
    ("", "v1", "Pod"): _pod,
    ("", "v1", "PodTemplate"): _pod_template,
    ("", "v1", "ReplicationController"): _replication_controller,
}
