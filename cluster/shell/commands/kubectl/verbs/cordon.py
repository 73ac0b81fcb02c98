"""``kubectl cordon``, ``uncordon``, ``drain``: take a node out of scheduling, and its pods off it.

Upstream: kubectl/pkg/drain.
"""

from typing import Any

from cluster.shell.commands.kubectl.client import Mapping
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure
from cluster.shell.commands.kubectl.flags import BOOL, DRY_RUN, SELECTOR, STRING, Flag, duration
from cluster.shell.commands.kubectl.waiting import gone
from cluster.shell.effects import Sleep
from cluster.shell.interpreter import Run

NAMES = ("cordon", "uncordon", "drain")
FLAGS = {
    **DRY_RUN,
    **SELECTOR,
    "force": BOOL,
    "ignore-daemonsets": BOOL,
    "delete-emptydir-data": BOOL,
    "grace-period": Flag("int", default=-1),
    "timeout": Flag(default="0s"),
    "pod-selector": STRING,
    "disable-eviction": BOOL,
    "skip-wait-for-delete-timeout": Flag("int", default=0),
}

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """``node/node-1 cordoned``; for drain, each pod as it goes."""
    verb = k.trail.rsplit(" ", 1)[-1]
    if not k.args and not k.flags["selector"]:
        raise Failure(f"USAGE: {verb} NODE [flags]\nSee 'kubectl {verb} -h' for help and examples")
    mapping = yield from k.client.mapping("nodes")
    if k.flags["selector"]:
        targets = yield from k.listed(mapping)
    else:
        targets = [Target(mapping, "", name.removeprefix("node/")) for name in k.args]
        for target in targets:
            yield from k.fetch(target)
    status = 0
    for target in targets:
        yield from _mark(k, target, verb != "uncordon")
        if verb == "drain":
            status |= yield from _drain(k, target)
    return status


def _mark(k: Kubectl, target: Target, unschedulable: bool) -> Run:
    word = "cordoned" if unschedulable else "uncordoned"
    if bool(((target.doc or {}).get("spec") or {}).get("unschedulable")) == unschedulable:
        k.out(f"node/{target.name} already {word}{k.dry_suffix}\n")
        return 0
    if k.dry_run != "client":
        query = [("dryRun", "All")] if k.dry_run == "server" else []
        patch = {"spec": {"unschedulable": True if unschedulable else None}}
        content = "application/strategic-merge-patch+json"
        yield from k.client.call("PATCH", target.path, query, patch, content=content)
    k.out(f"node/{target.name} {word}{k.dry_suffix}\n")
    return 0


def _drain(k: Kubectl, target: Target) -> Run:
    query = [("fieldSelector", f"spec.nodeName={target.name}")]
    if k.flags["pod-selector"]:
        query.append(("labelSelector", k.flags["pod-selector"]))
    listed = yield from k.client.call("GET", "/api/v1/pods", query)
    leaving: list[Doc] = []
    refused: dict[str, list[str]] = {}
    warned: dict[str, list[str]] = {}
    for pod in listed.get("items") or ():
        why, warning = _verdict(k, pod)
        shown = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        if why:
            refused.setdefault(why, []).append(shown)
        elif warning is None:
            leaving.append(pod)
        elif warning:
            warned.setdefault(warning, []).append(shown)
            if not warning.startswith("ignoring"):
                leaving.append(pod)
    if refused:
        whole = ", ".join(f"{why}: {', '.join(names)}" for why, names in refused.items())
        k.err(
            f'error: unable to drain node "{target.name}" due to error: {whole}, continuing command...\n'
            f"There are pending nodes to be drained:\n {target.name}\n{whole}\n"
        )
        return 1
    if warned:
        k.err("Warning: " + "; ".join(f"{why}: {', '.join(names)}" for why, names in warned.items()) + "\n")
    pods = yield from k.client.mapping("pods")
    if k.dry_run == "client":
        for pod in leaving:
            k.out(f"evicting pod {pod['metadata']['namespace']}/{pod['metadata']['name']} (dry run)\n")
        k.out(f"node/{target.name} drained (dry run)\n")
        return 0
    return (yield from _evict(k, target, pods, leaving))


def _verdict(k: Kubectl, pod: Doc) -> tuple[str, str | None]:
    """``(why it can't go, warning)``: a warning "ignoring …" means it stays; "" it is left out silently; None: it goes."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    if "kubernetes.io/config.mirror" in (metadata.get("annotations") or {}):
        return "", ""
    done = status.get("phase") in ("Succeeded", "Failed")
    owner = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), None)
    if owner is not None and owner["kind"] == "DaemonSet" and not done:
        if not k.flags["ignore-daemonsets"]:
            return "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)", None
        return "", "ignoring DaemonSet-managed Pods"
    local = any("emptyDir" in volume for volume in pod["spec"].get("volumes") or ())
    if local and not done and not k.flags["delete-emptydir-data"]:
        return "cannot delete Pods with local storage (use --delete-emptydir-data to override)", None
    if owner is None and not done:
        if not k.flags["force"]:
            return "cannot delete Pods that declare no controller (use --force to override)", None
        return "", "deleting Pods that declare no controller"
    return "", None


def _evict(k: Kubectl, target: Target, pods: Mapping, leaving: list[Doc]) -> Run:
    limit = duration(k.flags["timeout"]) or 0
    deadline = k.ctx.now + limit if limit else 0
    for pod in leaving:
        k.out(f"evicting pod {pod['metadata']['namespace']}/{pod['metadata']['name']}\n")
    for pod in leaving:
        metadata = pod["metadata"]
        each = Target(pods, metadata["namespace"], metadata["name"])
        eviction: Doc = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": each.name, "namespace": each.namespace},
        }
        options: Doc = {"gracePeriodSeconds": k.flags["grace-period"]} if k.flags["grace-period"] >= 0 else {}
        if options:
            eviction["deleteOptions"] = options
        while True:
            try:
                if k.flags["disable-eviction"]:
                    yield from k.client.call("DELETE", each.path, doc=options)
                else:
                    yield from k.client.call(
                        "POST", each.mapping.path(each.namespace, each.name, "eviction"), doc=eviction
                    )
                break
            except ApiFailure as error:
                if error.code == 404:
                    break
                if error.code != 429:
                    raise Failure(
                        f'error when evicting pods/"{each.name}" -n "{each.namespace}": {error.message}'
                    ) from None
                k.err(
                    f'error when evicting pods/"{each.name}" -n "{each.namespace}" (will retry after 5s): {error.message}\n'
                )
                if deadline and k.ctx.now + 5_000_000_000 > deadline:
                    raise Failure(
                        f'unable to drain node "{target.name}" due to error: error when evicting pods/"{each.name}" -n "{each.namespace}": global timeout reached: {k.flags["timeout"]}'
                    ) from None
                yield Sleep(5_000_000_000)
                k.out(f"evicting pod {each.namespace}/{each.name}\n")
    for pod in leaving:
        metadata = pod["metadata"]
        each = Target(pods, metadata["namespace"], metadata["name"])
        left = max(deadline - k.ctx.now, 1) if deadline else 0
        if not (yield from gone(k, each, metadata.get("uid", ""), left)):
            raise Failure(
                f'unable to drain node "{target.name}" due to error: error when waiting for pod "{each.name}" terminating: global timeout reached: {k.flags["timeout"]}'
            )
        k.out(f"pod/{each.name} {'deleted' if k.flags['disable-eviction'] else 'evicted'}\n")
    k.out(f"node/{target.name} drained\n")
    return 0
