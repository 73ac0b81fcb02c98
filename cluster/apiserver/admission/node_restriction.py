"""NodeRestriction: a kubelet may change only its own Node and the pods bound to it, so that one broken node stays one.

Upstream: plugin/pkg/admission/noderestriction/admission.go (v1.32).
"""

from typing import Any

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context
from cluster.apiserver.user import NODE_PREFIX, NODES

NAME = "NodeRestriction"
MUTATES, VALIDATES = True, False
_MIRROR = "kubernetes.io/config.mirror"
_KUBELET_LABELS = frozenset((
    "kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
    "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type", "kubernetes.io/os", "kubernetes.io/arch",
    "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
))  # fmt: skip


def handles(attributes: Attributes) -> bool:
    """What kubelets write."""
    return attributes.user.name.startswith(NODE_PREFIX) and NODES in attributes.user.groups


def mutate(attributes: Attributes, ctx: Context) -> tuple[Any, str]:
    """It changes nothing; it refuses."""
    node = attributes.user.name[len(NODE_PREFIX) :]
    if attributes.group_resource == "pods":
        return attributes.doc, _pods(attributes, node)
    if attributes.group_resource == "nodes":
        return attributes.doc, _nodes(attributes, node)
    if attributes.group_resource in ("leases.coordination.k8s.io", "csinodes.storage.k8s.io"):
        name = attributes.name or (attributes.doc or {}).get("metadata", {}).get("name", "")
        if name != node:
            raise _no(attributes, f'node "{node}" is not allowed to modify {attributes.resource.kind} "{name}"')
    return attributes.doc, f"Node {node} writes what is its own"


def _no(attributes: Attributes, why: str) -> status.ApiError:
    name = attributes.name or (attributes.doc or {}).get("metadata", {}).get("name", "")
    return status.forbidden(attributes.group_resource, name, why)


def _pods(attributes: Attributes, node: str) -> str:
    doc, old = attributes.doc, attributes.old
    if attributes.operation == "CREATE" and not attributes.subresource:
        if _MIRROR not in (doc["metadata"].get("annotations") or {}):
            raise _no(
                attributes, f'pod does not have "{_MIRROR}" annotation, node "{node}" can only create mirror pods'
            )
        if doc["spec"].get("nodeName") != node:
            raise _no(attributes, f'node "{node}" can only create pods with spec.nodeName set to itself')
        return "A mirror pod of the node itself"
    held = (old or {}).get("spec", {}).get("nodeName", "")
    if attributes.operation == "DELETE" and held != node:
        raise _no(attributes, f'node "{node}" can only delete pods with spec.nodeName set to itself')
    if attributes.subresource == "status" and held != node:
        raise _no(attributes, f'node "{node}" can only update pod status for pods with spec.nodeName set to itself')
    return "The pod is bound to the node"


def _nodes(attributes: Attributes, node: str) -> str:
    doc, old = attributes.doc, attributes.old
    name = attributes.name or doc["metadata"].get("name", "")
    if name != node:
        raise _no(attributes, f'node "{node}" is not allowed to modify node "{name}"')
    if attributes.operation == "DELETE" or doc is None:
        return "Its own Node"
    labels = doc["metadata"].get("labels") or {}
    before = (old["metadata"].get("labels") or {}) if old is not None else {}
    touched = [key for key in {**before, **labels} if before.get(key) != labels.get(key)]
    forbidden = sorted(key for key in touched if _forbidden_label(key))
    if forbidden:
        raise _no(attributes, f"is not allowed to modify labels: {', '.join(forbidden)}")
    if (
        old is not None
        and not attributes.subresource
        and (old.get("spec") or {}).get("taints") != (doc.get("spec") or {}).get("taints")
    ):
        raise _no(attributes, f'node "{node}" is not allowed to modify taints')
    return "Its own Node"


def _forbidden_label(key: str) -> bool:
    namespace, slash, _ = key.rpartition("/")
    if not slash or key in _KUBELET_LABELS:
        return False
    if namespace in ("kubelet.kubernetes.io", "node.kubernetes.io") or namespace.endswith(
        (".kubelet.kubernetes.io", ".node.kubernetes.io")
    ):
        return False
    return namespace in ("kubernetes.io", "k8s.io") or namespace.endswith((".kubernetes.io", ".k8s.io"))
