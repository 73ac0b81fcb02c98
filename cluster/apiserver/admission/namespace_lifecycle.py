"""NamespaceLifecycle: nothing is created in a namespace that doesn't exist or is going away; three can't be deleted.

Upstream: apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go (v1.32).
"""

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context

NAME = "NamespaceLifecycle"
MUTATES, VALIDATES = True, True
IMMORTAL = ("default", "kube-system", "kube-public")


def handles(attributes: Attributes) -> bool:
    """Writes into namespaces, and deletions of the namespaces themselves."""
    if attributes.operation == "DELETE":
        return attributes.resource.group_resource == "namespaces"
    return attributes.operation == "CREATE" and attributes.resource.namespaced and bool(attributes.namespace)


def mutate(attributes: Attributes, ctx: Context) -> tuple[object, str]:
    """It changes nothing; it stands here because it refuses before others waste work."""
    if attributes.operation == "DELETE":
        return attributes.doc, "It looks at deletions when it validates"
    name = attributes.namespace
    namespace = ctx.view.get("namespaces", "", name)
    if namespace is None:
        raise status.not_found("namespaces", name)
    if namespace["metadata"].get("deletionTimestamp"):
        resource = attributes.group_resource
        error = status.forbidden(
            resource, (attributes.doc or {}).get("metadata", {}).get("name", ""),
            f"unable to create new content in namespace {name} because it is being terminated",
        )  # fmt: skip
        details = error.status.setdefault("details", {})
        details["causes"] = [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
        ]
        raise error
    return attributes.doc, f"Namespace {name} exists and is not being deleted"


def validate(attributes: Attributes, ctx: Context) -> str:
    """The three namespaces that the cluster can't do without stay."""
    if attributes.operation == "DELETE" and attributes.name in IMMORTAL:
        raise status.forbidden("namespaces", attributes.name, "this namespace may not be deleted")
    if attributes.operation == "DELETE":
        return f"Namespace {attributes.name} is none of those that the cluster needs to live"
    return "It looked at the namespace before others did their work"
