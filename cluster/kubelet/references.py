"""The ConfigMaps and Secrets a pod names: where, and what is in them.

In: a pod's document → out: (kind, name, optional, volume) for every mention; a found object's data as text.

Simplified here: projected volumes (every pod's service account token) are taken as there.

Upstream: pkg/kubelet/configmap, pkg/kubelet/secret, pkg/kubelet/kubelet_pods.go (``makeEnvironmentVariables``).
"""

from base64 import b64decode
from typing import Any

Doc = dict[str, Any]


def references(doc: Doc) -> list[tuple[str, str, bool, str]]:
    """(configmaps or secrets, name, optional, the volume's name or "" for an environment variable)."""
    spec = doc["spec"]
    found: list[tuple[str, str, bool, str]] = []
    for volume in spec.get("volumes") or ():
        if "configMap" in volume:
            found.append(
                ("configmaps", volume["configMap"]["name"], bool(volume["configMap"].get("optional")), volume["name"])
            )
        elif "secret" in volume:
            found.append(
                ("secrets", volume["secret"]["secretName"], bool(volume["secret"].get("optional")), volume["name"])
            )
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        for source in container.get("envFrom") or ():
            for kind, field in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
                if field in source:
                    found.append((kind, source[field]["name"], bool(source[field].get("optional")), ""))
        for entry in container.get("env") or ():
            for kind, field in (("configmaps", "configMapKeyRef"), ("secrets", "secretKeyRef")):
                ref = (entry.get("valueFrom") or {}).get(field)
                if ref:
                    found.append((kind, ref["name"], bool(ref.get("optional")), ""))
    return found


def decoded(doc: Doc, secret: bool) -> dict[str, str]:
    """The object's data as text; a Secret's values are base64 on the wire."""
    data = doc.get("data") or {}
    return {k: b64decode(v).decode("utf-8", "replace") for k, v in data.items()} if secret else dict(data)
