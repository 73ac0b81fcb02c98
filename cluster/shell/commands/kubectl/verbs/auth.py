"""``kubectl auth can-i`` and ``kubectl auth whoami``: ask the server what one may do, and who one is to it."""

from typing import Any

from cluster.shell.commands.kubectl import describing as d
from cluster.shell.commands.kubectl import printers
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import BOOL, STRING, Flag
from cluster.shell.interpreter import Run
from cluster.shell.tabwriter import align

NAMES = ("auth",)

Doc = dict[str, Any]
_ROOT = "/apis/authorization.k8s.io/v1"


def _can_i(k: Kubectl) -> Run:
    if k.flags["list"]:
        return (yield from _rules(k))
    if len(k.args) not in (2, 3):
        raise Failure(
            "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples."
        )
    verb, what = k.args[0], k.args[1]
    if what.startswith("/"):
        spec: Doc = {"nonResourceAttributes": {"path": what, "verb": verb}}
    else:
        kind, _, name = what.partition("/")
        name = name or (k.args[2] if len(k.args) > 2 else "")
        group, resource, namespaced = "", kind, True
        if kind == "*":
            group = "*"
        else:
            try:
                mapping = yield from k.client.mapping(kind)
                group, resource, namespaced = mapping.group, mapping.plural, mapping.namespaced
            except Failure:
                resource, _, group = kind.partition(".")
                k.err(f"Warning: the server doesn't have a resource type '{kind}'\n\n")
        attributes: Doc = {"resource": resource, "verb": verb}
        if not namespaced:
            k.err(
                f"Warning: resource '{resource}' is not namespace scoped"
                + (f" in group '{group}'" if group else "")
                + "\n\n"
            )
        if not k.flags["all-namespaces"] and namespaced:
            attributes["namespace"] = k.namespace
        for key, value in (("group", group), ("name", name), ("subresource", k.flags["subresource"])):
            if value:
                attributes[key] = value
        spec = {"resourceAttributes": attributes}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
    answer = yield from k.client.call("POST", f"{_ROOT}/selfsubjectaccessreviews", doc=review)
    status = answer["status"]
    allowed = bool(status.get("allowed"))
    if not k.flags["quiet"]:
        reason = f" - {status['reason']}" if status.get("reason") and not allowed else ""
        error = f" - {status['evaluationError']}" if status.get("evaluationError") else ""
        k.out(("yes" if allowed else "no" + reason) + error + "\n")
    return 0 if allowed else 1


def _rules(k: Kubectl) -> Run:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": k.namespace},
    }
    answer = yield from k.client.call("POST", f"{_ROOT}/selfsubjectrulesreviews", doc=review)
    rows = [] if k.flags["no-headers"] else ["Resources\tNon-Resource URLs\tResource Names\tVerbs"]
    status = answer["status"]
    rows += d.rule_rows([*(status.get("resourceRules") or ()), *(status.get("nonResourceRules") or ())])
    k.out(align("".join(row + "\n" for row in rows)))
    return 0


def _whoami(k: Kubectl) -> Run:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = yield from k.client.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", doc=review)
    if k.flags["output"]:
        k.out(printers.structured(answer, k.flags["output"], k.flags))
        return 0
    info = answer["status"]["userInfo"]
    rows = ["ATTRIBUTE\tVALUE"]
    for name, key in (("Username", "username"), ("UID", "uid")):
        if info.get(key):
            rows.append(f"{name}\t{info[key]}")
    if info.get("groups"):
        rows.append(f"Groups\t[{' '.join(info['groups'])}]")
    for key in sorted(info.get("extra") or {}):
        rows.append(f"Extra: {key}\t[{' '.join(info['extra'][key])}]")
    k.out(align("".join(row + "\n" for row in rows)))
    return 0


SUBCOMMANDS = {
    "can-i": (
        {
            "list": BOOL, "quiet": Flag("bool", "q", False), "subresource": STRING, "no-headers": BOOL,
            "all-namespaces": Flag("bool", "A", False),
        },
        _can_i,
    ),
    "whoami": ({"output": Flag(short="o")}, _whoami),
}  # fmt: skip
