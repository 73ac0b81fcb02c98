"""Writing RBAC objects briefly: a rule is (verbs, groups, resources) as words, kept sorted as upstream's builder does."""

from typing import Any

Doc = dict[str, Any]

GROUP = "rbac.authorization.k8s.io"
API_VERSION = f"{GROUP}/v1"
BOOTSTRAP_LABEL = {"kubernetes.io/bootstrapping": "rbac-defaults"}
AUTOUPDATE = {"rbac.authorization.kubernetes.io/autoupdate": "true"}

READ = "get list watch"
WRITE = "create update patch delete deletecollection"
READ_WRITE = f"{READ} {WRITE}"
READ_UPDATE = "get list watch update patch"


def rule(verbs: str, groups: str, resources: str, names: str = "") -> Doc:
    """A resource rule. ``groups`` by words, "core" for the legacy group; ``names`` restricts to those objects."""
    found: Doc = {
        "apiGroups": sorted("" if group == "core" else group for group in groups.split()),
        "resources": sorted(resources.split()),
        "verbs": sorted(verbs.split()),
    }
    if names:
        return {
            "apiGroups": found["apiGroups"],
            "resourceNames": sorted(names.split()),
            "resources": found["resources"],
            "verbs": found["verbs"],
        }
    return found


def urls(verbs: str, paths: str) -> Doc:
    """A rule for paths that are no resources."""
    return {"nonResourceURLs": sorted(paths.split()), "verbs": sorted(verbs.split())}


EVENTS = rule("create update patch", "core events.k8s.io", "events")


def cluster_role(name: str, rules: list[Doc], labels: dict[str, str] | None = None) -> Doc:
    """A default ClusterRole."""
    return {
        "kind": "ClusterRole",
        "apiVersion": API_VERSION,
        "metadata": {"name": name, "labels": {**BOOTSTRAP_LABEL, **(labels or {})}, "annotations": AUTOUPDATE},
        "rules": rules,
    }


def role(namespace: str, name: str, rules: list[Doc]) -> Doc:
    """A default Role."""
    metadata = {"name": name, "namespace": namespace, "labels": BOOTSTRAP_LABEL, "annotations": AUTOUPDATE}
    return {"kind": "Role", "apiVersion": API_VERSION, "metadata": metadata, "rules": rules}


def subjects(words: str) -> list[Doc]:
    """``group:a user:b sa:namespace/name`` as subjects."""
    found: list[Doc] = []
    for word in words.split():
        kind, _, name = word.partition(":")
        if kind == "sa":
            namespace, _, name = name.partition("/")
            found.append({"kind": "ServiceAccount", "name": name, "namespace": namespace})
        else:
            found.append({"kind": kind.capitalize(), "apiGroup": GROUP, "name": name})
    return found


def cluster_binding(name: str, who: str, to: str = "") -> Doc:
    """A default ClusterRoleBinding to the ClusterRole of the same name, or to ``to``."""
    doc: Doc = {
        "kind": "ClusterRoleBinding",
        "apiVersion": API_VERSION,
        "metadata": {"name": name, "labels": BOOTSTRAP_LABEL, "annotations": AUTOUPDATE},
    }
    if who:
        doc["subjects"] = subjects(who)
    return {**doc, "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": to or name}}


def binding(namespace: str, name: str, who: str, to: str = "") -> Doc:
    """A default RoleBinding to the Role of the same name, or to ``to``."""
    return {
        "kind": "RoleBinding",
        "apiVersion": API_VERSION,
        "metadata": {"name": name, "namespace": namespace, "labels": BOOTSTRAP_LABEL, "annotations": AUTOUPDATE},
        "subjects": subjects(who),
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": to or name},
    }
