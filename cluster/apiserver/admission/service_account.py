"""ServiceAccount: every pod runs as some service account, and gets that account's token.

A pod that names none gets ``default``. A projected volume ``kube-api-access-…`` with a bound token, the cluster's CA and the
namespace is added and mounted into every container, unless the pod or the account says not to.

Simplified here: mountable secrets are not limited (the annotation that asks for it is long deprecated).

Upstream: plugin/pkg/admission/serviceaccount/admission.go (v1.32).
"""

from typing import Any

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context

NAME = "ServiceAccount"
MUTATES, VALIDATES = True, True
RESOURCES = ("pods",)
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
MIRROR = "kubernetes.io/config.mirror"
_EXPIRATION = 3607
"""One hour and a few seconds: how the apiserver recognises tokens that it may secretly let live longer."""
Doc = dict[str, Any]


def handles(attributes: Attributes) -> bool:
    """New pods."""
    return attributes.concerns("pods", "CREATE")


def _mirror(pod: Doc) -> bool:
    return MIRROR in (pod["metadata"].get("annotations") or {})


def mutate(attributes: Attributes, ctx: Context) -> tuple[Doc, str]:
    """Fill in the account, its pull secrets and the token volume."""
    pod = attributes.doc
    if _mirror(pod):
        if pod["spec"].get("serviceAccountName"):
            raise status.forbidden(
                "pods", pod["metadata"].get("name", ""), "a mirror pod may not reference service accounts"
            )
        return pod, "A mirror pod of the kubelet is left as it is"
    spec = dict(pod["spec"])
    name = spec.get("serviceAccountName") or "default"
    account = _account(attributes, ctx, name, pod)
    spec = _placed(spec, name)
    said = [f"It runs as service account {name}"]
    mount = spec.get("automountServiceAccountToken")
    if mount is None:
        mount = account.get("automountServiceAccountToken")
    if mount is None or mount:
        spec = _mounted(spec, ctx)
        said.append("gets its token mounted")
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = account["imagePullSecrets"]
        said.append("uses its image pull secrets")
    if spec == pod["spec"]:
        return pod, "It has everything already"
    return {**pod, "spec": spec}, ", ".join(said)


def validate(attributes: Attributes, ctx: Context) -> str:
    """The account exists."""
    pod = attributes.doc
    if _mirror(pod):
        return "A mirror pod needs no account"
    name = pod["spec"].get("serviceAccountName", "")
    _account(attributes, ctx, name, pod)
    return f"Service account {name} exists"


def _account(attributes: Attributes, ctx: Context, name: str, pod: Doc) -> Doc:
    account = ctx.view.get("serviceaccounts", attributes.namespace, name)
    if account is None:
        where = f"{attributes.namespace}/{name}"
        raise status.forbidden(
            "pods", pod["metadata"].get("name", ""),
            f'error looking up service account {where}: serviceaccount "{name}" not found',
        )  # fmt: skip
    return account


_AFTER_ACCOUNT = ("automountServiceAccountToken", "nodeName", "hostNetwork", "hostPID", "hostIPC",
                  "shareProcessNamespace", "securityContext", "imagePullSecrets", "hostname", "subdomain", "affinity",
                  "schedulerName", "tolerations")  # fmt: skip


def _placed(spec: Doc, name: str) -> Doc:
    """``spec`` with serviceAccountName and its old alias, where Go's PodSpec has them."""
    if spec.get("serviceAccountName") == name and spec.get("serviceAccount") == name:
        return spec
    out: Doc = {}
    for key, value in spec.items():
        if key in ("serviceAccountName", "serviceAccount"):
            continue
        if key in _AFTER_ACCOUNT and "serviceAccountName" not in out:
            out["serviceAccountName"] = out["serviceAccount"] = name
        out[key] = value
    out["serviceAccountName"] = out["serviceAccount"] = name
    return out


def _mounted(spec: Doc, ctx: Context) -> Doc:
    volumes: list[Doc] = list(spec.get("volumes") or ())
    held = next((v["name"] for v in volumes if v["name"].startswith("kube-api-access-")), "")
    volume = held or f"kube-api-access-{ctx.dice.suffix(5)}"
    used = False

    def with_mount(container: Doc) -> Doc:
        nonlocal used
        mounts = container.get("volumeMounts") or []
        if any(mount["mountPath"] == MOUNT_PATH for mount in mounts):
            return container
        used = True
        added = [*mounts, {"name": volume, "readOnly": True, "mountPath": MOUNT_PATH}]
        if "volumeMounts" in container:
            return {**container, "volumeMounts": added}
        out: Doc = {}
        for key, value in container.items():  # where Go's Container has it
            if key in _AFTER_MOUNTS and "volumeMounts" not in out:
                out["volumeMounts"] = added
            out[key] = value
        out.setdefault("volumeMounts", added)
        return out

    changed = {
        kind: [with_mount(container) for container in spec[kind]]
        for kind in ("initContainers", "containers")
        if spec.get(kind)
    }
    if not used:
        return spec
    spec = {**spec, **changed}
    if not held:
        volumes.append(_token_volume(volume))
    return {"volumes": volumes, **{key: value for key, value in spec.items() if key != "volumes"}}


_AFTER_MOUNTS = ("volumeDevices", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "terminationMessagePath",
                 "terminationMessagePolicy", "imagePullPolicy", "securityContext", "stdin", "stdinOnce", "tty")  # fmt: skip


def _token_volume(name: str) -> Doc:
    field = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": _EXPIRATION, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [field]}},
            ],
            "defaultMode": 420,
        },
    }
