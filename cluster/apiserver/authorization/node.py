"""The Node authorizer: a kubelet may read and write what concerns its own node, and nothing else.

In → a request of ``system:node:<name>`` in the group ``system:nodes``; out → allowed, or no opinion with the relation that is
missing. Secrets, config maps and volumes may be read only when a pod bound to the node uses them.

Simplified here: the pods of the node are looked through for each question instead of keeping a graph.

Upstream: plugin/pkg/auth/authorizer/node/node_authorizer.go, bootstrappolicy ``NodeRules`` (v1.32).
"""

from functools import lru_cache
from typing import Any

from cluster.apiserver.authorization import Attributes, Decision
from cluster.apiserver.authorization.rules import Rule, covers
from cluster.apiserver.user import NODE_PREFIX, NODES, User
from cluster.apiserver.view import View, here

NAME = "Node"
ORDER = 10


_SILENT = Decision(False, "", NAME)
_ANYBODY = User("")


def _rule(verbs: str, group: str, resources: str) -> Rule:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}


RULES: tuple[Rule, ...] = (
    _rule("create", "authentication.k8s.io", "tokenreviews"),
    _rule("create", "authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews"),
    _rule("get list watch", "", "services"),
    _rule("create get list watch", "", "nodes"),
    _rule("update patch", "", "nodes/status"),
    _rule("update patch", "", "nodes"),
    _rule("create update patch", "", "events"),
    _rule("get list watch", "", "pods"),
    _rule("create delete", "", "pods"),
    _rule("update patch", "", "pods/status"),
    _rule("create", "", "pods/eviction"),
    _rule("get list watch", "", "secrets configmaps"),
    _rule("get", "", "persistentvolumeclaims persistentvolumes"),
    _rule("get", "", "endpoints"),
    _rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
    _rule("get create update patch delete", "coordination.k8s.io", "leases"),
    _rule("get", "storage.k8s.io", "volumeattachments"),
    _rule("create", "", "serviceaccounts/token"),
    _rule("get update patch", "", "persistentvolumeclaims/status"),
    _rule("get list watch", "storage.k8s.io", "csidrivers"),
    _rule("get create update patch delete", "storage.k8s.io", "csinodes"),
    _rule("get list watch", "node.k8s.io", "runtimeclasses"),
    _rule("get", "", "serviceaccounts"),
    _rule("get list watch", "resource.k8s.io", "resourceslices"),
)


def authorize(attributes: Attributes, view: View) -> Decision:
    """``NodeAuthorizer.Authorize``."""
    user = attributes.user
    if NODES not in user.groups or not user.name.startswith(NODE_PREFIX):
        return _SILENT
    node = user.name[len(NODE_PREFIX) :]
    if attributes.is_resource:
        kind = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
        special = _SPECIAL.get(kind)
        if special is not None and not (kind == "serviceaccounts" and attributes.subresource != "token"):
            why = special(attributes, node, view)
            if why is not None:
                if not why:
                    return Decision(True, f"Node: {node} may {attributes.verb} what it needs", NAME, here())
                return Decision(False, why, NAME, here(), ({"authorizer": NAME, "why": why},))
    return _by_rules(
        attributes.verb, attributes.group, attributes.resource, attributes.subresource, attributes.path,
        attributes.is_resource,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _by_rules(verb: str, group: str, resource: str, subresource: str, path: str, is_resource: bool) -> Decision:
    """What ``RULES`` say, which name no object and no node."""
    asked = Attributes(_ANYBODY, verb, "", group, "", resource, subresource, "", path, is_resource)
    if any(covers(rule, asked) for rule in RULES):
        return Decision(True, f"Node: kubelets may {verb} {asked.full_resource or path}", NAME, here())
    return Decision(False, "", NAME, here(), ({"authorizer": NAME, "why": "no rule for kubelets covers this"},))


def _no_relation(node: str) -> str:
    return f"no relationship found between node '{node}' and this object"


def _object(attributes: Attributes, node: str, view: View) -> str | None:
    """Secrets and config maps: readable one by one if a pod of the node refers to them."""
    if attributes.verb not in ("get", "list", "watch") or attributes.subresource:
        return "can only read resources of this type" if not attributes.subresource else "cannot read subresource"
    if not attributes.name:
        return "No Object name found"
    pods = [pod for pod in view.indexed("pods", node) if pod["metadata"]["namespace"] == attributes.namespace]
    if any(attributes.name in references(pod)[attributes.resource] for pod in pods):
        return ""
    return _no_relation(node)


def _claim(attributes: Attributes, node: str, view: View) -> str | None:
    if attributes.subresource == "status":
        return None
    return _object(attributes, node, view)


def _volume(attributes: Attributes, node: str, view: View) -> str | None:
    if attributes.verb != "get" or attributes.subresource:
        return "can only get individual resources of this type"
    for pod in view.indexed("pods", node):
        for claim in references(pod)["persistentvolumeclaims"]:
            held = view.get("persistentvolumeclaims", pod["metadata"]["namespace"], claim)
            if held is not None and held["spec"].get("volumeName") == attributes.name:
                return ""
    return _no_relation(node)


def _token(attributes: Attributes, node: str, view: View) -> str | None:
    if attributes.verb != "create" or not attributes.name:
        return "can only create tokens for individual service accounts"
    for pod in view.indexed("pods", node):
        if (
            pod["metadata"]["namespace"] == attributes.namespace
            and pod["spec"].get("serviceAccountName") == attributes.name
        ):
            return ""
    return _no_relation(node)


def _lease(attributes: Attributes, node: str, view: View) -> str | None:
    if attributes.namespace != "kube-node-lease":
        return 'can only access leases in the "kube-node-lease" system namespace'
    if attributes.verb not in ("get", "create", "update", "patch", "delete"):
        return "can only get, create, update, patch, or delete a node lease"
    if attributes.verb != "create" and attributes.name != node:
        return "can only access node lease with the same name as the requesting node"
    return ""


def _csi_node(attributes: Attributes, node: str, view: View) -> str | None:
    if attributes.verb not in ("get", "create", "update", "patch", "delete"):
        return "can only get, create, update, patch, or delete a CSINode"
    if attributes.verb != "create" and attributes.name != node:
        return "can only access CSINode with the same name as the requesting node"
    return ""


_SPECIAL: dict[str, Any] = {
    "secrets": _object,
    "configmaps": _object,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "serviceaccounts": _token,
    "leases.coordination.k8s.io": _lease,
    "csinodes.storage.k8s.io": _csi_node,
}


def references(pod: dict[str, Any]) -> dict[str, set[str]]:
    """The secrets, config maps and claims that ``pod`` names (``podutil.VisitPodSecretNames`` and its sisters)."""
    spec = pod["spec"]
    found: dict[str, set[str]] = {"secrets": set(), "configmaps": set(), "persistentvolumeclaims": set()}
    found["secrets"].update(ref.get("name", "") for ref in spec.get("imagePullSecrets") or ())
    for volume in spec.get("volumes") or ():
        if "secret" in volume:
            found["secrets"].add(volume["secret"].get("secretName", ""))
        if "configMap" in volume:
            found["configmaps"].add(volume["configMap"].get("name", ""))
        if "persistentVolumeClaim" in volume:
            found["persistentvolumeclaims"].add(volume["persistentVolumeClaim"].get("claimName", ""))
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "secret" in source:
                found["secrets"].add(source["secret"].get("name", ""))
            if "configMap" in source:
                found["configmaps"].add(source["configMap"].get("name", ""))
    for container in [
        *spec["containers"],
        *(spec.get("initContainers") or ()),
        *(spec.get("ephemeralContainers") or ()),
    ]:
        for source in container.get("envFrom") or ():
            if "secretRef" in source:
                found["secrets"].add(source["secretRef"].get("name", ""))
            if "configMapRef" in source:
                found["configmaps"].add(source["configMapRef"].get("name", ""))
        for variable in container.get("env") or ():
            origin = variable.get("valueFrom") or {}
            if "secretKeyRef" in origin:
                found["secrets"].add(origin["secretKeyRef"].get("name", ""))
            if "configMapKeyRef" in origin:
                found["configmaps"].add(origin["configMapKeyRef"].get("name", ""))
    return found
