"""What is reported of a pod: ``PodStatus`` from what the node knows of it.

In: a ``PodRun`` → out: the document for ``pods/status``: phase, the kubelet's conditions, container statuses, addresses. Texts and order are the
real kubelet's.

Simplified here: ``started`` is reported only where a startup probe makes it interesting; resources and allocated resources, user
ids and resize are not reported.

Upstream: pkg/kubelet/kubelet_pods.go (``generateAPIPodStatus``, ``getPhase``), pkg/kubelet/status/generate.go.
"""

from typing import Any

from cluster.kubelet.state import ContainerRun, PodRun
from cluster.sim.clock import rfc3339

_LIVE = ("running", "stopping")


def container_specs(doc: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name → (kind, spec), init containers first."""
    spec = doc["spec"]
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for container in spec.get("initContainers") or ():
        found[container["name"]] = ("sidecar" if container.get("restartPolicy") == "Always" else "init", container)
    for container in spec.get("containers") or ():
        found[container["name"]] = ("app", container)
    for container in spec.get("ephemeralContainers") or ():
        found[container["name"]] = ("ephemeral", container)
    return found


def terminated(run: ContainerRun, epoch: int) -> dict[str, Any]:
    """``ContainerStateTerminated`` of the container that ended last."""
    doc: dict[str, Any] = {"exitCode": run.exit_code, "reason": run.exit_reason}
    if run.exit_message:
        doc["message"] = run.exit_message
    doc["startedAt"] = rfc3339(epoch, run.started_at) if run.started_at >= 0 else "1970-01-01T00:00:00Z"
    doc["finishedAt"] = rfc3339(epoch, run.finished_at)
    doc["containerID"] = run.container_id
    return doc


def container_status(run: ContainerRun, spec: dict[str, Any], initialized: bool, epoch: int) -> dict[str, Any]:
    """``ContainerStatus`` in the real order of fields."""
    ended = run.state == "exited" and run.finished_at >= 0
    if run.state in _LIVE:
        state: dict[str, Any] = {"running": {"startedAt": rfc3339(epoch, run.started_at)}}
    elif ended:
        state = {"terminated": terminated(run, epoch)}
    else:
        default = (
            "ContainerCreating"
            if initialized or (run.kind in ("init", "sidecar") and run.attempts)
            else "PodInitializing"
        )
        state = {"waiting": {"reason": run.reason or default}}
        if run.message:
            state["waiting"]["message"] = run.message
    doc: dict[str, Any] = {
        "name": run.name,
        "state": state,
        "lastState": {"terminated": run.last} if run.last is not None else {},
        "ready": run.ready if run.kind in ("app", "sidecar") else run.kind == "init" and ended and run.exit_code == 0,
        "restartCount": run.restarts,
        "image": spec.get("image", ""),
        "imageID": spec.get("image", "") if run.container_id else "",
    }
    if run.container_id:
        doc["containerID"] = run.container_id
    if spec.get("startupProbe") or run.kind == "sidecar":
        doc["started"] = run.started
    mounts = [_mount(m) for m in spec.get("volumeMounts") or ()]
    if mounts:
        doc["volumeMounts"] = mounts
    return doc


def _mount(mount: dict[str, Any]) -> dict[str, Any]:
    doc = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        doc.update(readOnly=True, recursiveReadOnly="Disabled")
    return doc


def is_initialized(run: PodRun) -> bool:
    """All init containers ended well, sidecars have started."""
    return all(
        (c.state == "exited" and c.exit_code == 0 and c.finished_at >= 0) if c.kind == "init" else c.started
        for c in run.containers.values()
        if c.kind in ("init", "sidecar")
    )


def phase(run: PodRun) -> str:
    """Pending, Running, Succeeded or Failed, by what the containers did (``getPhase``)."""
    if run.phase in ("Failed", "Succeeded"):
        return run.phase
    apps = [c for c in run.containers.values() if c.kind == "app"]
    policy = run.doc["spec"].get("restartPolicy", "Always")
    if run.state == "finished" or (run.state in ("cleanup", "gone") and all(c.finished_at >= 0 for c in apps)):
        init_failed = any(c.kind == "init" and c.exit_code for c in run.containers.values())
        return "Failed" if init_failed or any(c.exit_code for c in apps) else "Succeeded"
    if not is_initialized(run):
        return "Pending"
    if any(c.state not in _LIVE and c.finished_at < 0 and c.last is None for c in apps):
        return "Pending"
    if policy == "Always" or any(c.state in _LIVE for c in apps):
        return "Running"
    waiting = any(c.state != "exited" for c in apps)
    retried = policy == "OnFailure" and any(c.exit_code for c in apps)
    if waiting or retried:
        return "Running"
    return "Failed" if any(c.exit_code for c in apps) else "Succeeded"


def _conditions(run: PodRun, now_phase: str) -> list[tuple[str, str, str, str]]:
    """(type, status, reason, message) in the real order."""
    done = now_phase in ("Succeeded", "Failed")
    completed = now_phase == "Succeeded"
    incomplete = [
        c.name
        for c in run.containers.values()
        if c.kind == "init" and not (c.state == "exited" and c.exit_code == 0 and c.finished_at >= 0)
    ]
    unready = [c.name for c in run.containers.values() if c.kind in ("app", "sidecar") and not c.ready]
    found = [
        (
            "PodReadyToStartContainers",
            "True" if run.sandbox and not done and run.state not in ("cleanup", "gone") else "False",
            "",
            "",
        )
    ]
    if completed:
        found.append(("Initialized", "True", "PodCompleted", ""))
    elif incomplete:
        found.append(
            (
                "Initialized",
                "False",
                "ContainersNotInitialized",
                f"containers with incomplete status: [{' '.join(incomplete)}]",
            )
        )
    else:
        found.append(("Initialized", "True", "", ""))
    if completed:
        verdict = ("False", "PodCompleted", "")
    elif now_phase == "Failed":
        verdict = ("False", "PodFailed", "")
    elif unready:
        verdict = ("False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    else:
        verdict = ("True", "", "")
    gates = [g["conditionType"] for g in run.doc["spec"].get("readinessGates") or ()]
    met = {c["type"] for c in (run.doc.get("status") or {}).get("conditions") or () if c.get("status") == "True"}
    missing = [g for g in gates if g not in met]
    if verdict[0] == "True" and missing:
        why = "; ".join(f'corresponding condition of pod readiness gate "{g}" does not exist.' for g in missing)
        found.append(("Ready", "False", "ReadinessGatesNotReady", why))
    else:
        found.append(("Ready", verdict[0], verdict[1], verdict[2]))
    found.append(("ContainersReady", verdict[0], verdict[1], verdict[2]))
    found.append(("PodScheduled", "True", "", ""))
    return found


def pod_status(run: PodRun, address: str, epoch: int, now: int) -> dict[str, Any]:
    """The whole ``PodStatus``; remembers transition times in ``run``."""
    now_phase = phase(run)
    specs = container_specs(run.doc)
    initialized = is_initialized(run)
    stamp = rfc3339(epoch, now)
    scheduled = next(
        (c for c in (run.doc.get("status") or {}).get("conditions") or () if c["type"] == "PodScheduled"), None
    )
    conditions = []
    for kind, holds, reason, message in _conditions(run, now_phase):
        known = run.conditions.get(kind)
        since = known[1] if known is not None and known[0] == holds else stamp
        if kind == "PodScheduled" and scheduled is not None and scheduled.get("lastTransitionTime"):
            since = str(scheduled["lastTransitionTime"])
        run.conditions[kind] = (holds, since, reason, message)
        doc: dict[str, Any] = {"type": kind, "status": holds, "lastProbeTime": None, "lastTransitionTime": since}
        if reason:
            doc["reason"] = reason
        if message:
            doc["message"] = message
        conditions.append(doc)
    status: dict[str, Any] = {"phase": now_phase, "conditions": conditions}
    if run.message:
        status["message"] = run.message
    if run.reason:
        status["reason"] = run.reason
    status["hostIP"] = address
    status["hostIPs"] = [{"ip": address}]
    if run.ip:
        status["podIP"] = run.ip
        status["podIPs"] = [{"ip": run.ip}]
    status["startTime"] = rfc3339(epoch, run.start_time)
    groups = {"init": "initContainerStatuses", "sidecar": "initContainerStatuses", "app": "containerStatuses",
              "ephemeral": "ephemeralContainerStatuses"}  # fmt: skip
    for name, container in run.containers.items():
        if name in specs:
            doc = container_status(container, specs[name][1], initialized, epoch)
            status.setdefault(groups[container.kind], []).append(doc)
    return status


def status_patch(status: dict[str, Any], sent: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """``status`` as a strategic merge patch: conditions merge by type, so what they no longer say must be said to be gone.

    ``sent``: the status last accepted; ``known``: the status as last seen, which others may have changed.
    """
    patch: dict[str, Any] = dict(status)
    for name in ("message", "reason", "podIP"):
        if name not in status and (name in sent or name in known):
            patch[name] = None
    before: dict[str, dict[str, Any]] = {}
    for source in (known, sent):
        for condition in source.get("conditions") or ():
            before.setdefault(condition["type"], {}).update(condition)
    conditions = []
    for condition in status["conditions"]:
        gone = {n: None for n in ("reason", "message") if n in before.get(condition["type"], ()) and n not in condition}
        conditions.append({**condition, **gone})
    patch["conditions"] = conditions
    patch["$setElementOrder/conditions"] = [{"type": c["type"]} for c in conditions]
    return patch


def overruled(run: PodRun) -> bool:
    """Whether somebody else (the node lifecycle controller) changed what the kubelet said of readiness."""
    if run.sent is None or run.state in ("new", "cleanup", "gone"):
        return False
    said = {c["type"]: c["status"] for c in run.sent.get("conditions") or ()}
    seen = {c["type"]: c["status"] for c in (run.doc.get("status") or {}).get("conditions") or ()}
    return any(kind in seen and seen[kind] != said.get(kind) for kind in ("Ready", "ContainersReady"))
