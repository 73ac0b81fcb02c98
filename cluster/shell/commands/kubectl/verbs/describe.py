"""``kubectl describe``: an object and what belongs to it (its events, a Service's endpoints, a Deployment's ReplicaSets) in words.

Kinds without a form of their own are shown field by field, as the real one does for custom resources.
Upstream: kubectl/pkg/describe/describe.go.
"""

from collections.abc import Callable
from typing import Any

from cluster.shell.commands.kubectl import describing as d
from cluster.shell.commands.kubectl.client import Asking
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.describers import objects, workloads
from cluster.shell.commands.kubectl.describers.generic import generic
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure
from cluster.shell.commands.kubectl.flags import FILES, SELECTOR, TRUE, Flag
from cluster.shell.interpreter import Run
from cluster.shell.tabwriter import align

NAMES = ("describe",)
FLAGS = {
    **FILES, **SELECTOR, "all-namespaces": Flag("bool", "A", False), "show-events": TRUE, "chunk-size": Flag("int", default=500),
}  # fmt: skip

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """Blocks, two empty lines between objects."""
    if not k.args and not k.flags["filename"]:
        raise Failure(
            'You must specify the type of resource to describe. Use "kubectl api-resources" for a complete list of supported resources.',
            plain=False,
        )
    if len(k.args) == 2 and "/" not in k.args[0] and "," not in k.args[0]:
        targets = yield from _by_prefix(k)
    else:
        targets = yield from k.objects()
    if not targets:
        if k.flags["all-namespaces"]:
            k.err("No resources found\n")
        else:
            k.err(f"No resources found in {k.namespace} namespace.\n")
        return 0
    for place, target in enumerate(targets):
        text = yield from _describe(k, target)
        k.out(("\n\n" if place else "") + align(text, minimum=0, padding=2))
    return 0


def _by_prefix(k: Kubectl) -> Asking:
    """The object of that name, else all whose names start with it."""
    _, targets = yield from k.named()
    try:
        yield from k.fetch(targets[0])
        return targets[:1]
    except ApiFailure as error:
        if error.reason != "NotFound":
            raise
        every = yield from k.listed(targets[0].mapping)
        found = [each for each in every if each.name.startswith(targets[0].name)]
        if not found:
            raise
        return found


def _describe(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    special = _KINDS.get((target.mapping.group, target.mapping.kind))
    if special is None:
        text = generic(doc)
    else:
        result = special(k, target)
        text = result if isinstance(result, str) else (yield from result)
    silent = target.mapping.kind in (
        "Secret",
        "Role",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "ResourceQuota",
        "LimitRange",
        "Namespace",
    )
    if not k.flags["show-events"] or silent:
        return text
    return text + d.events((yield from _events(k, target)), k.client.now_unix)


def _events(k: Kubectl, target: Target) -> Asking:
    fields = [f"involvedObject.name={target.name}"]
    if target.namespace:
        fields.append(f"involvedObject.namespace={target.namespace}")
    fields.append(f"involvedObject.kind={target.mapping.kind}")
    uid = (target.doc or {}).get("metadata", {}).get("uid")
    if uid:
        fields.append(f"involvedObject.uid={target.name if target.mapping.kind == 'Node' else uid}")
    where = f"/api/v1/namespaces/{target.namespace or 'default'}/events" if target.namespace else "/api/v1/events"
    try:
        listed = yield from k.client.call("GET", where, [("fieldSelector", ",".join(fields)), ("limit", "500")])
    except ApiFailure:
        return []
    return listed.get("items") or []


_RBAC = "rbac.authorization.k8s.io"
_KINDS: dict[tuple[str, str], Callable[[Kubectl, Target], Any]] = {
    ("", "Pod"): workloads.pod,
    ("", "Node"): objects.node,
    ("", "Service"): objects.service,
    ("", "Endpoints"): objects.endpoints,
    ("", "Namespace"): objects.namespace,
    ("", "Secret"): objects.secret,
    ("", "ConfigMap"): objects.config_map,
    ("", "ServiceAccount"): objects.service_account,
    ("", "ResourceQuota"): objects.quota,
    ("", "LimitRange"): objects.limit_range,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("batch", "Job"): workloads.job,
    ("networking.k8s.io", "Ingress"): objects.ingress,
    (_RBAC, "Role"): objects.rules,
    (_RBAC, "ClusterRole"): objects.rules,
    (_RBAC, "RoleBinding"): objects.binding,
    (_RBAC, "ClusterRoleBinding"): objects.binding,
}
