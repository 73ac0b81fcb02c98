"""RBAC's own guard: nobody may grant what they don't have, unless they hold the verbs ``escalate`` or ``bind``.

Not an authorizer of the chain: it looks at the object being written, so it runs after validation.

Upstream: pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased/storage.go (v1.32).
"""

from typing import Any

from cluster.api.scheme import Resource
from cluster.apiserver.authorization import Attributes, authorize, rbac
from cluster.apiserver.user import MASTERS, User
from cluster.apiserver.view import View

_GROUP = "rbac.authorization.k8s.io"


def check(user: User, resource: Resource, old: Any, new: dict[str, Any], view: View) -> str:
    """ "" when ``user`` may write ``new`` over ``old``, else the words of the 403. Other kinds: always ""."""
    if resource.group != _GROUP or MASTERS in user.groups:
        return ""
    if resource.plural in ("roles", "clusterroles"):
        return _roles(user, resource, old, new, view)
    return _bindings(user, old, new, view)


def _roles(user: User, resource: Resource, old: Any, new: dict[str, Any], view: View) -> str:
    if (
        old is not None
        and old.get("rules") == new.get("rules")
        and old.get("aggregationRule") == new.get("aggregationRule")
    ):
        return ""
    meta = new["metadata"]
    namespace = meta.get("namespace", "")
    if _may(user, "escalate", resource.plural, namespace, meta.get("name", ""), view):
        return ""
    wanted: list[dict[str, Any]] = list(new.get("rules") or ())
    if new.get("aggregationRule"):  # its rules will come from elsewhere: only for those who may do everything
        wanted.append({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
        wanted.append({"nonResourceURLs": ["*"], "verbs": ["*"]})
    return rbac.escalation(user, namespace, wanted, view)


def _bindings(user: User, old: Any, new: dict[str, Any], view: View) -> str:
    if old is not None and old.get("roleRef") == new.get("roleRef") and old.get("subjects") == new.get("subjects"):
        return ""
    namespace = new["metadata"].get("namespace", "")
    reference = new["roleRef"]
    cluster_wide = reference["kind"] == "ClusterRole"
    plural = "clusterroles" if cluster_wide else "roles"
    if _may(user, "bind", plural, namespace, reference["name"], view):
        return ""
    name = rbac.CLUSTER_ROLES if cluster_wide else rbac.ROLES
    role = view.get(name, "" if cluster_wide else namespace, reference["name"])
    if role is None:
        return f'{"clusterrole" if cluster_wide else "role"}s.{_GROUP} "{reference["name"]}" not found'
    return rbac.escalation(user, namespace, role.get("rules") or [], view)


def _may(user: User, verb: str, plural: str, namespace: str, name: str, view: View) -> bool:
    return authorize(Attributes(user, verb, namespace, _GROUP, "v1", plural, "", name), view).allowed
