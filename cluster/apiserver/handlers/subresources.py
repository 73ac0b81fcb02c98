"""Subresources that do something instead of storing a body: binding and eviction of pods.

Binding is the scheduler's only write: it sets ``spec.nodeName``, once. Eviction is a deletion that a PodDisruptionBudget
may forbid for now (429).

Upstream: pkg/registry/core/pod/storage/{storage,eviction}.go (v1.32).
"""

from typing import Any

from cluster.api import selectors, status
from cluster.api.field import invalid, required
from cluster.api.status import success
from cluster.apiserver import respond, storage
from cluster.apiserver.handlers import deletion, writing
from cluster.apiserver.job import Job, continuation
from cluster.apiserver.options import DeleteOptions, delete_options, write_options
from cluster.apiserver.storage import Change, transform
from cluster.apiserver.watch_cache import Item
from cluster.sim import Outbox

PDBS = "poddisruptionbudgets.policy"
_MAX_DISRUPTED = 2000


def _pods(server: Any) -> Any:
    return server.scheme.resource("", "v1", "pods")


# -- binding ------------------------------------------------------------------------------------------------------


def bind(server: Any, job: Job, out: Outbox) -> None:
    """POST pods/<name>/binding, or to the old ``bindings`` collection."""
    options = write_options(job.query, "CreateOptions")
    doc = writing.decode(server, job, out, ("", "v1", "Binding"), options.field_validation)
    name = job.info.name if job.info.subresource else doc.get("metadata", {}).get("name", "")
    said = doc.get("metadata", {}).get("name")
    if said and said != name:
        raise status.bad_request(f"name in URL does not match name in Binding object ({name} vs {said})")
    target = doc.get("target") or {}
    errors = []
    if target.get("kind") not in (None, "", "Node"):
        errors.append(invalid("target.kind", target["kind"], "must be empty, 'Node'"))
    if not target.get("name"):
        errors.append(required("target.name"))
    if errors:
        raise status.invalid("", "Binding", name, errors)
    job.doc = doc
    job.data.update(options=options, name=name)
    storage.update(server, job, out, _pods(server), job.info.namespace, name, bound, binding_done)


@transform
def bound(server: Any, job: Job, out: Outbox, item: Item) -> Change:
    """``assignPod``: the pod gets its node and the condition PodScheduled."""
    pod, name = item.doc, job.data["name"]
    node = job.doc["target"]["name"]
    resource = "pods/binding"
    if pod["metadata"].get("deletionTimestamp"):
        raise status.conflict(resource, name, f"pod {name} is being deleted, cannot be assigned to a host")
    held = pod["spec"].get("nodeName")
    if held:
        raise status.conflict(resource, name, f'pod {name} is already assigned to node "{held}"')
    if pod["spec"].get("schedulingGates"):
        raise status.conflict(resource, name, f"pod {name} has non-empty .spec.schedulingGates")
    uid = job.doc["metadata"].get("uid")
    if uid and uid != pod["metadata"]["uid"]:
        raise status.conflict(
            resource,
            name,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {pod['metadata']['uid']}",
        )
    meta = pod["metadata"]
    annotations = job.doc["metadata"].get("annotations")
    if annotations:
        meta = {**meta, "annotations": {**(meta.get("annotations") or {}), **annotations}}
    condition = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": server.view.timestamp,
    }
    state = pod.get("status") or {}
    conditions = [c for c in state.get("conditions") or () if c["type"] != "PodScheduled"] + [condition]
    if job.data["options"].dry_run:
        return Change("keep")
    spec: dict[str, Any] = {}
    for key, value in pod["spec"].items():  # nodeName stands where Go's PodSpec has it
        if key in ("hostNetwork", "hostPID", "hostIPC", "securityContext") and "nodeName" not in spec:
            spec["nodeName"] = node
        spec[key] = value
    spec["nodeName"] = node
    order = {"phase": state.get("phase", "Pending"), "conditions": conditions}
    return Change(
        "put",
        {
            **pod,
            "metadata": meta,
            "spec": spec,
            "status": {**order, **{k: v for k, v in state.items() if k not in order}},
        },
    )


@continuation
def binding_done(server: Any, job: Job, out: Outbox, item: Item) -> None:
    """201, and nothing else."""
    respond.document(server, job, out, 201, success(code=201), f"The pod is bound to {job.doc['target']['name']}")


# -- eviction -----------------------------------------------------------------------------------------------------


def evict(server: Any, job: Job, out: Outbox) -> None:
    """POST pods/<name>/eviction."""
    options = write_options(job.query, "CreateOptions")
    doc = writing.decode(server, job, out, ("policy", "v1", "Eviction"), options.field_validation)
    said = doc.get("metadata", {}).get("name")
    if said and said != job.info.name:
        raise status.bad_request(f"name in URL does not match name in Eviction object: {job.info.name}, {said}")
    inner = delete_options({}, doc.get("deleteOptions") or {})
    dry = options.dry_run or inner.dry_run
    job.data["options"] = DeleteOptions(
        inner.grace_period_seconds, inner.uid, inner.resource_version, inner.propagation_policy, None, dry
    )
    storage.get(server, job, out, _pods(server), job.info.namespace, job.info.name, evicting)


@continuation
def evicting(server: Any, job: Job, out: Outbox, item: Item) -> None:
    """The pod is there: does a budget protect it?"""
    pod = item.doc
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed", "Pending") or pod["metadata"].get("deletionTimestamp"):
        _delete(server, job, out)
        return
    labels = pod["metadata"].get("labels") or {}
    budgets = [
        pdb
        for pdb in server.view.list(PDBS, job.info.namespace)
        if selectors.from_struct(pdb["spec"].get("selector")).matches(labels)
    ]
    if not budgets:
        _delete(server, job, out)
        return
    if len(budgets) > 1:
        raise status.internal_error(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    job.data["pod"] = job.info.name
    resource = server.scheme.resource("policy", "v1", "poddisruptionbudgets")
    storage.update(server, job, out, resource, job.info.namespace, budgets[0]["metadata"]["name"], spend, permitted)


@transform
def spend(server: Any, job: Job, out: Outbox, item: Item) -> Change:
    """Take one disruption from the budget, or 429."""
    pdb = item.doc
    name, state = pdb["metadata"]["name"], pdb.get("status") or {}
    budget = "Cannot evict pod as it would violate the pod's disruption budget."
    if state.get("observedGeneration", 0) < pdb["metadata"].get("generation", 0):
        cause = ("DisruptionBudget", f"The disruption budget {name} is still being processed by the server.")
        raise status.too_many_requests(budget, 10, (cause,))
    allowed = state.get("disruptionsAllowed", 0)
    if allowed <= 0:
        cause = (
            "DisruptionBudget",
            f"The disruption budget {name} needs {state.get('desiredHealthy', 0)} healthy pods and has "
            f"{state.get('currentHealthy', 0)} currently",
        )
        raise status.too_many_requests(budget, 0, (cause,))
    disrupted = state.get("disruptedPods") or {}
    if len(disrupted) > _MAX_DISRUPTED:
        raise status.forbidden(
            PDBS, name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        )
    if job.data["options"].dry_run:
        return Change("keep")
    state = {
        **state,
        "disruptedPods": {**disrupted, job.data["pod"]: server.view.timestamp},
        "disruptionsAllowed": allowed - 1,
    }
    return Change("put", {**pdb, "status": state})


@continuation
def permitted(server: Any, job: Job, out: Outbox, item: Item) -> None:
    """The budget allowed it."""
    _delete(server, job, out)


def _delete(server: Any, job: Job, out: Outbox) -> None:
    storage.update(server, job, out, _pods(server), job.info.namespace, job.info.name, deletion.removed, evicted)


@continuation
def evicted(server: Any, job: Job, out: Outbox, item: Item) -> None:
    """201 with a Status of success."""
    respond.document(server, job, out, 201, success(code=201), "The pod is being deleted")
