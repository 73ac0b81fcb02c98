"""``kubectl rollout``: status, history, undo, restart, pause, resume of a workload's versions.

Simplified here: ``history`` and ``undo`` are for Deployments (whose versions are ReplicaSets).
Upstream: kubectl/pkg/cmd/rollout, kubectl/pkg/polymorphichelpers.
"""

from collections.abc import Callable
from typing import Any

from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.describing import pod_template
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import DRY_RUN, FILES, OUTPUT, SELECTOR, Flag, duration
from cluster.shell.commands.kubectl.waiting import until
from cluster.shell.interpreter import Run
from cluster.shell.tabwriter import align
from cluster.sim.clock import rfc3339

NAMES = ("rollout",)

Doc = dict[str, Any]
_REVISION = "deployment.kubernetes.io/revision"
_CAUSE = "kubernetes.io/change-cause"
_STRATEGIC = "application/strategic-merge-patch+json"


def deployment_status(doc: Doc) -> tuple[str, bool]:
    """How far a Deployment's rollout is: ``(sentence, done)``. Failure when it has exceeded its deadline."""
    spec, status, name = doc.get("spec") or {}, doc.get("status") or {}, doc["metadata"]["name"]
    if doc["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
        return "Waiting for deployment spec update to be observed...\n", False
    for condition in status.get("conditions") or ():
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            raise Failure(f'deployment "{name}" exceeded its progress deadline')
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    if updated < wanted:
        return (
            f'Waiting for deployment "{name}" rollout to finish: {updated} out of {wanted} new replicas have been updated...\n',
            False,
        )
    have, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    if have > updated:
        return (
            f'Waiting for deployment "{name}" rollout to finish: {have - updated} old replicas are pending termination...\n',
            False,
        )
    if available < updated:
        return (
            f'Waiting for deployment "{name}" rollout to finish: {available} of {updated} updated replicas are available...\n',
            False,
        )
    return f'deployment "{name}" successfully rolled out\n', True


def daemon_set_status(doc: Doc) -> tuple[str, bool]:
    """The same of a DaemonSet."""
    status, name = doc.get("status") or {}, doc["metadata"]["name"]
    if ((doc.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete":
        raise Failure("rollout status is only available for RollingUpdate strategy type")
    if doc["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
        return "Waiting for daemon set spec update to be observed...\n", False
    wanted, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    if updated < wanted:
        return (
            f'Waiting for daemon set "{name}" rollout to finish: {updated} out of {wanted} new pods have been updated...\n',
            False,
        )
    available = status.get("numberAvailable", 0)
    if available < wanted:
        return (
            f'Waiting for daemon set "{name}" rollout to finish: {available} of {wanted} updated pods are available...\n',
            False,
        )
    return f'daemon set "{name}" successfully rolled out\n', True


def stateful_set_status(doc: Doc) -> tuple[str, bool]:
    """The same of a StatefulSet."""
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        raise Failure("rollout status is only available for RollingUpdate strategy type")
    if doc["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
        return "Waiting for statefulset spec update to be observed...\n", False
    wanted, ready, updated = spec.get("replicas", 1), status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    if ready < wanted:
        return f"Waiting for {wanted - ready} pods to be ready...\n", False
    partition = (strategy.get("rollingUpdate") or {}).get("partition")
    if strategy.get("type") == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        if partition is not None and updated < wanted - partition:
            return (
                f"Waiting for partitioned roll out to finish: {updated} out of {wanted - partition} new pods have been updated...\n",
                False,
            )
        return f"partitioned roll out complete: {updated} new pods have been updated...\n", True
    if status.get("updateRevision") != status.get("currentRevision"):
        return (
            f"waiting for statefulset rolling update to complete {updated} pods at revision {status.get('updateRevision', '')}...\n",
            False,
        )
    return (
        f"statefulset rolling update complete {status.get('currentReplicas', 0)} pods at revision {status.get('currentRevision', '')}...\n",
        True,
    )


_VIEWERS: dict[str, Callable[[Doc], tuple[str, bool]]] = {
    "Deployment": deployment_status,
    "DaemonSet": daemon_set_status,
    "StatefulSet": stateful_set_status,
}


def _targets(k: Kubectl) -> Any:
    return (yield from k.objects(required="required resource not specified"))


def _status(k: Kubectl) -> Run:
    targets = yield from _targets(k)
    for target in targets:
        viewer = _VIEWERS.get(target.mapping.kind)
        if viewer is None:
            raise Failure(
                f'no status viewer has been implemented for {{"{target.mapping.group}" "{target.mapping.kind}"}}'
            )
        shown = [""]

        def look(doc: Doc | None, viewer: Callable[[Doc], tuple[str, bool]] = viewer, shown: list[str] = shown) -> bool:
            if doc is None:
                raise Failure("object has been deleted")
            sentence, done = viewer(doc)
            if sentence != shown[0]:
                k.out(sentence)
                shown[0] = sentence
            return done or not k.flags["watch"]

        if not (yield from until(k, target, look, duration(k.flags["timeout"]) or 0)):
            raise Failure("timed out waiting for the condition")
    return 0


def _replica_sets(k: Kubectl, target: Target) -> Any:
    """The Deployment's ReplicaSets by revision."""
    if target.mapping.kind != "Deployment":
        raise Failure(
            f'no history viewer has been implemented for "{target.mapping.kind}.{target.mapping.group}" in this console'
        )
    doc = target.doc or {}
    pairs = (doc["spec"].get("selector") or {}).get("matchLabels") or {}
    query = [("labelSelector", ",".join(f"{key}={value}" for key, value in sorted(pairs.items())))]
    listed = yield from k.client.call("GET", f"/apis/apps/v1/namespaces/{target.namespace}/replicasets", query)
    found: dict[int, Doc] = {}
    for item in listed.get("items") or ():
        owners = item["metadata"].get("ownerReferences") or ()
        revision = (item["metadata"].get("annotations") or {}).get(_REVISION, "")
        if revision.isdigit() and any(owner.get("uid") == doc["metadata"].get("uid") for owner in owners):
            found[int(revision)] = item
    return dict(sorted(found.items()))


def _history(k: Kubectl) -> Run:
    for target in (yield from _targets(k)):
        found = yield from _replica_sets(k, target)
        wanted = k.flags["revision"]
        if wanted:
            if wanted not in found:
                raise Failure(f"unable to find the specified revision {wanted}")
            template = found[wanted]["spec"]["template"]
            cause = (found[wanted]["metadata"].get("annotations") or {}).get(_CAUSE)
            if cause:
                metadata = dict(template.get("metadata") or {})
                template = {
                    **template,
                    "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), _CAUSE: cause}},
                }
            k.out(f"{target.shown} with revision #{wanted}\n{pod_template(template, tabs=True)}\n")
            continue
        rows = ["REVISION\tCHANGE-CAUSE"]
        for revision, item in found.items():
            cause = (item["metadata"].get("annotations") or {}).get(_CAUSE) or "<none>"
            rows.append(f"{revision}\t{cause}")
        k.out(f"{target.shown} \n" + align("".join(row + "\n" for row in rows), minimum=0, padding=2) + "\n")
    return 0


def _undo(k: Kubectl) -> Run:
    for target in (yield from _targets(k)):
        found = yield from _replica_sets(k, target)
        doc, wanted = target.doc or {}, k.flags["to-revision"]
        if doc["spec"].get("paused"):
            raise Failure(
                "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again"
            )
        if not wanted:
            if len(found) < 2:
                raise Failure(f'no rollout history found for deployment "{target.name}"')
            wanted = list(found)[-2]
        if wanted not in found:
            raise Failure(f"unable to find specified revision {wanted} in history")
        template = found[wanted]["spec"]["template"]
        labels = {
            key: value
            for key, value in (template["metadata"].get("labels") or {}).items()
            if key != "pod-template-hash"
        }
        template = {**template, "metadata": {**template["metadata"], "labels": labels}}
        if template == doc["spec"].get("template"):
            k.out(f"{target.shown} skipped rollback (current template already matches revision {wanted})\n")
            continue
        annotations = {
            key: value
            for key, value in (found[wanted]["metadata"].get("annotations") or {}).items()
            if key
            not in (_REVISION, "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas")
            and not key.startswith(("kubectl.kubernetes.io/last-applied", "deployment.kubernetes.io/revision-history"))
        }
        have = doc["metadata"].get("annotations") or {}
        kept = {
            key: value
            for key, value in have.items()
            if key.startswith(("kubectl.kubernetes.io/last-applied", "deployment.kubernetes.io/"))
        }
        patch = [
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "replace", "path": "/metadata/annotations", "value": {**kept, **annotations}},
        ]
        if k.dry_run != "client":
            query = [("dryRun", "All")] if k.dry_run == "server" else []
            yield from k.client.call("PATCH", target.path, query, patch, content="application/json-patch+json")
        k.out(f"{target.shown} rolled back{k.dry_suffix}\n")
    return 0


def _change(verb: str, done: str, patch_of: Callable[[Kubectl, Doc], Doc]) -> Callable[[Kubectl], Run]:
    def change(k: Kubectl) -> Run:
        status = 0
        for target in (yield from _targets(k)):
            doc = target.doc or {}
            try:
                if verb in ("pause", "resume") and target.mapping.kind != "Deployment":
                    raise Failure(
                        f'{target.mapping.plural}.{target.mapping.group} "{target.name}" {"pausing" if verb == "pause" else "resuming"} is not supported'
                    )
                paused = bool(doc["spec"].get("paused"))
                if verb == "pause" and paused:
                    raise Failure(f'{target.mapping.resource} "{target.name}" is already paused')
                if verb == "resume" and not paused:
                    raise Failure(f'{target.mapping.resource} "{target.name}" is not paused')
                if verb == "restart" and paused:
                    raise Failure("can't restart paused deployment (run rollout resume first)")
                yield from k.client.call(
                    "PATCH", target.path, k.write_query("kubectl-rollout"), patch_of(k, doc), content=_STRATEGIC
                )
                k.out(f"{target.shown} {done}{k.dry_suffix}\n")
            except (Failure, ApiFailure) as error:
                k.err(text(error))
                status = 1
        return status

    return change


def _restarted(k: Kubectl, doc: Doc) -> Doc:
    stamp = rfc3339(k.ctx.config.epoch, k.ctx.now)
    annotations = {"kubectl.kubernetes.io/restartedAt": stamp}
    return {"spec": {"template": {"metadata": {"annotations": annotations}}}}


_COMMON = {**FILES, **SELECTOR, **OUTPUT, **DRY_RUN}
SUBCOMMANDS = {
    "status": (
        {
            **FILES,
            **SELECTOR,
            "watch": Flag("bool", "w", True),
            "timeout": Flag(default="0s"),
            "revision": Flag("int", default=0),
        },
        _status,
    ),
    "history": ({**_COMMON, "revision": Flag("int", default=0)}, _history),
    "undo": ({**_COMMON, "to-revision": Flag("int", default=0)}, _undo),
    "restart": (_COMMON, _change("restart", "restarted", _restarted)),
    "pause": (_COMMON, _change("pause", "paused", lambda k, doc: {"spec": {"paused": True}})),
    "resume": (_COMMON, _change("resume", "resumed", lambda k, doc: {"spec": {"paused": None}})),
}
