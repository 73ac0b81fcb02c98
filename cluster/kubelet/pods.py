"""The life of pods on a node: admission, sandbox, init containers, containers, restarts, termination.

In: pod objects bound to this node (``on_pods``) and timers → out: events, notes, and statuses for the apiserver. Every change of state goes
through the tables in ``machine``; what it entails is the method named after the event.

Simplified here: the container runtime is a table of durations and the program model; lifecycle hooks are not run (their time is
nothing); volumes of ConfigMaps and Secrets are only looked for, other volumes mount at once; containers outlive a crash of the
kubelet (as they do) and also a reboot of the host (as they don't).

Upstream: pkg/kubelet/pod_workers.go, kuberuntime/kuberuntime_manager.go, images/image_manager.go, lifecycle/predicate.go.
"""

from base64 import b64decode
from hashlib import blake2b
from typing import Any

from cluster.api import quantity
from cluster.clientgo import ApiClient, Doc, key_of
from cluster.kubelet import images, machine
from cluster.kubelet.probes import Probing
from cluster.kubelet.programs import Surroundings, program
from cluster.kubelet.server import Serving
from cluster.kubelet.state import ContainerRun, KubeletState, PodRun
from cluster.kubelet.status import container_specs, is_initialized, terminated
from cluster.sim import MILLISECOND, MINUTE, SECOND, Outbox
from cluster.sim.clock import parse_rfc3339
from cluster.trace.notes import Effect
from cluster.wire.http import HttpResponse

BACKOFF_FIRST = 10 * SECOND
BACKOFF_MAX = 5 * MINUTE
BACKOFF_RESET = 10 * MINUTE
RESTART_DELAY = SECOND
"""How long until the kubelet notices that a container ended (PLEG relists every second)."""
MIRROR = "kubernetes.io/config.mirror"


def backoff(failures: int) -> int:
    """10 s, 20 s, 40 s … 5 min."""
    return min(BACKOFF_FIRST << min(max(failures - 1, 0), 10), BACKOFF_MAX)


class PodWorkers(Probing, Serving, ApiClient):
    """The kubelet's pod half. ``config`` and ``state`` as in ``kubelet``."""

    state: KubeletState

    # -- what the apiserver says ----------------------------------------------------------------------------------

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """A pod of this node came, changed or went."""
        meta = new["metadata"]
        uid = meta["uid"]
        mirror = (meta.get("annotations") or {}).get(MIRROR)
        if mirror is not None:
            self.on_mirror(event_type, mirror, new, now, out)
            return
        run = self.state.pods.get(uid)
        if event_type == "DELETED":
            if run is not None:
                self._forget(run, out)
            return
        if run is None:
            run = self.state.pods[uid] = PodRun(uid, key_of(new), new)
            self._begin(run, now, out)
            return
        before, run.doc = run.doc, new
        if meta.get("deletionTimestamp"):
            self._delete(run, now, out)
        elif before["spec"] is not new["spec"] and before["spec"] != new["spec"]:
            self._respec(run, before, now, out)
        elif run.sent is not None and (new["spec"].get("readinessGates") or "phase" not in (new.get("status") or {})):
            self.publish(run, out)

    def _begin(self, run: PodRun, now: int, out: Outbox) -> None:
        """A pod this kubelet has not seen: admit it, take it over, or let it rest."""
        status = run.doc.get("status") or {}
        run.start_time = now
        for name, (kind, _) in container_specs(run.doc).items():
            run.containers[name] = ContainerRun(name, kind)
        if status.get("phase") in ("Succeeded", "Failed"):
            run.state, run.phase = "finished", status["phase"]
            run.sent = status
        elif status.get("startTime") and not run.static:
            self._adopt(run, status, now, out)
        if run.doc["metadata"].get("deletionTimestamp"):
            self._delete(run, now, out)
            return
        if run.state == "new":
            refused = self._refused(run)
            if refused is not None:
                run.state = machine.POD["new", "reject"]
                run.phase, (run.reason, words) = "Failed", refused
                run.message = f"Pod was rejected: {words}"
                run.containers.clear()
                self.pod_event(run, out, "Warning", run.reason, words)
                self.publish(run, out)
                return
            self._account(run, 1)
            run.state = machine.POD["new", "admit"]
            self._prepare(run, now, out)
        deadline = run.doc["spec"].get("activeDeadlineSeconds")
        if deadline is not None and run.state != "finished":
            out.timer(f"{run.uid}//deadline", max(0, run.start_time + deadline * SECOND - now), (run.uid, ""))

    def _respec(self, run: PodRun, before: Doc, now: int, out: Outbox) -> None:
        """What of a pod's spec may change: images, ephemeral containers, the deadline."""
        old = container_specs(before)
        for name, (kind, spec) in container_specs(run.doc).items():
            if name not in run.containers:
                run.containers[name] = ContainerRun(name, kind)
                if run.state == "running":
                    self._start(run, run.containers[name], now, out)
            elif name in old and spec.get("image") != old[name][1].get("image"):
                container = run.containers[name]
                if container.state == "running":
                    self._stop(run, container, f"Container {name} definition changed, will be restarted", now, out)
                elif container.state in ("image-backoff", "crash-backoff"):
                    container.pull_failures = 0
                    self._event(run, container, "retry", now, out)
        deadline = run.doc["spec"].get("activeDeadlineSeconds")
        if deadline is not None and deadline != before["spec"].get("activeDeadlineSeconds"):
            out.timer(f"{run.uid}//deadline", max(0, run.start_time + deadline * SECOND - now), (run.uid, ""))

    # -- admission ------------------------------------------------------------------------------------------------

    def _refused(self, run: PodRun) -> tuple[str, str] | None:
        """(reason, message) if this node cannot take the pod (lifecycle/predicate.go); static pods are always taken."""
        run.requests = _requests(run.doc)
        if run.static:
            return None
        for name, wanted in run.requests.items():
            if name not in self.node_limits():
                if name.count("/") == 0 and name not in ("cpu", "memory", "pods", "ephemeral-storage"):
                    continue
                return f"OutOf{name}", f"Node didn't have enough resource: {name}, requested: {_shown(name, wanted)}, used: 0, capacity: 0"
            used, limit = self.state.used.get(name, 0), self.node_limits()[name]
            if wanted and used + wanted > limit:
                return (
                    f"OutOf{name}",
                    f"Node didn't have enough resource: {name}, requested: {_shown(name, wanted)}, "
                    f"used: {_shown(name, used)}, capacity: {_shown(name, limit)}",
                )
        labels = (self.state.node or {}).get("metadata", {}).get("labels")
        selector = run.doc["spec"].get("nodeSelector") or {}
        if labels is not None and any(labels.get(key) != value for key, value in selector.items()):
            return "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
        return None

    def _account(self, run: PodRun, sign: int) -> None:
        for name, amount in run.requests.items():
            self.state.used[name] = self.state.used.get(name, 0) + sign * amount

    # -- volumes, environment, sandbox ----------------------------------------------------------------------------

    def _prepare(self, run: PodRun, now: int, out: Outbox) -> None:
        """Look for the ConfigMaps and Secrets the pod names, then make its sandbox."""
        wanted = dict.fromkeys(f"{kind}/{name}" for kind, name, _, _ in _references(run.doc))
        self.publish(run, out)
        run.waiting_for = len(wanted)
        namespace = run.doc["metadata"]["namespace"]
        for item in wanted:
            kind, _, name = item.partition("/")
            path = f"/api/v1/namespaces/{namespace}/{kind}/{name}"
            self.request(out, "GET", path, then="reference_found", args=(run.uid, item), detach=True)
        if not wanted:
            self._mounted(run, now, out)

    def reference_found(self, response: HttpResponse, uid: str, item: str, now: int, out: Outbox) -> None:
        """A ConfigMap or Secret came, or there is none."""
        run = self.state.pods.get(uid)
        if run is None:
            return
        run.data[item] = _decoded(response.doc, item.startswith("secrets/")) if response.code == 200 else None
        run.waiting_for -= 1
        if run.waiting_for == 0 and run.state == "sandbox":
            self._mounted(run, now, out)
        elif run.waiting_for == 0:
            for container in run.containers.values():
                self._event(run, container, "retry", now, out) if container.state == "config-error" else None

    def _mounted(self, run: PodRun, now: int, out: Outbox) -> None:
        for kind, name, optional, volume in _references(run.doc):
            if volume and not optional and run.data.get(f"{kind}/{name}") is None:
                words = f'MountVolume.SetUp failed for volume "{volume}" : {kind[:-1]} "{name}" not found'
                self.pod_event(run, out, "Warning", "FailedMount", words)
                run.mount_failures += 1
                wait = min((SECOND // 2) << min(run.mount_failures, 8), 122 * SECOND)
                out.timer(f"{run.uid}//mount", wait, (run.uid, ""))
                return
        if not run.doc["spec"].get("hostNetwork") and not self.pod_cidr():
            out.timer(f"{run.uid}//sandbox-wait", SECOND, (run.uid, ""))
            return
        out.timer(f"{run.uid}//sandbox", out.dice.between(80, 200) * MILLISECOND, (run.uid, ""))

    def _sandbox_ready(self, run: PodRun, now: int, out: Outbox) -> None:
        if run.doc["spec"].get("hostNetwork"):
            run.ip = self.config.address
        else:
            address = self._take_address(run)
            if not address:
                words = "failed to allocate for range 0: no IP addresses available in range set: " + self.pod_cidr()
                self.pod_event(run, out, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {words}")
                out.timer(f"{run.uid}//sandbox", 10 * SECOND, (run.uid, ""))
                return
            run.ip = address
        run.sandbox = True
        run.state = machine.POD["sandbox", "ready"]
        self.effect(out, "sandbox", run, f"{self.config.node} made the sandbox of {run.key} with address {run.ip}")
        self.publish(run, out)
        self._advance(run, now, out)

    def _take_address(self, run: PodRun) -> str:
        """The next free address of the node's pod CIDR (the host-local plug-in goes round)."""
        state = self.state
        base, size = _range(self.pod_cidr())
        for step in range(size - 3):
            number = 2 + (state.next_address - 2 + step) % (size - 3)
            address = _address(base + number)
            if address not in state.addresses:
                state.addresses[address] = run.uid
                state.next_address = number + 1
                return address
        return ""

    # -- containers -----------------------------------------------------------------------------------------------

    def _advance(self, run: PodRun, now: int, out: Outbox) -> None:
        """Start what is due: the first init container that isn't done, or all containers."""
        if run.state == "initializing":
            for container in run.containers.values():
                if container.kind not in ("init", "sidecar"):
                    continue
                if container.kind == "sidecar" and container.started:
                    continue
                if container.state == "exited" and container.exit_code == 0 and container.finished_at >= 0:
                    continue
                if container.state == "waiting" and not container.attempts:
                    self._start(run, container, now, out)
                return
            run.state = machine.POD["initializing", "initialized"]
            self.publish(run, out)
        if run.state == "running":
            for container in run.containers.values():
                if container.kind in ("app", "ephemeral") and container.state == "waiting" and not container.attempts:
                    self._start(run, container, now, out)

    def _event(self, run: PodRun, container: ContainerRun, event: str, now: int, out: Outbox) -> None:
        """One step of a container's state machine; what it entails."""
        state = machine.advance(machine.CONTAINER, container.state, event)
        if state is None:
            return
        container.state = state
        match event:
            case "pulled":
                self._pulled(run, container, now, out)
            case "pull-failed":
                self._pull_failed(run, container, now, out)
            case "back-off" if state == "image-backoff":
                self._image_backoff(run, container, out)
            case "started":
                self._started(run, container, now, out)
            case "exit" | "kill":
                self._exited(run, container, now, out)
            case "retry" | "restart":
                if event == "restart" or container.last is not None or container.attempts:
                    self._restarting(container)
                self._start(run, container, now, out)
        self.publish(run, out)

    def _restarting(self, container: ContainerRun) -> None:
        if container.finished_at < 0:
            return
        container.last = terminated(container, self.config.epoch)
        container.restarts += 1
        if container.program is not None:
            container.previous = (container.program, container.started_at, container.finished_at)
        container.finished_at, container.program = -1, None

    def _start(self, run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        """Image, then create: ``startContainer`` of kuberuntime."""
        spec = container_specs(run.doc)[container.name][1]
        image = spec.get("image", "")
        container.attempts += 1
        policy = spec.get("imagePullPolicy", "IfNotPresent")
        bad = images.malformed(image)
        if bad:
            container.state = machine.CONTAINER["waiting", "refuse"]
            container.reason, container.message = "InvalidImageName", bad
            self.container_event(run, container, out, "Warning", "InspectFailed", bad)
            self.container_event(run, container, out, "Warning", "Failed", "Error: InvalidImageName")
            self.publish(run, out)
            return
        present = images.normalized(image) in self.state.images
        if policy == "Never" and not present:
            container.state = machine.CONTAINER["waiting", "refuse"]
            container.reason = "ErrImageNeverPull"
            container.message = f'Container image "{image}" is not present with pull policy of Never'
            self.container_event(run, container, out, "Warning", "ErrImageNeverPull", container.message)
            self.container_event(run, container, out, "Warning", "Failed", "Error: ErrImageNeverPull")
            self.publish(run, out)
            return
        if present and policy != "Always":
            self.container_event(run, container, out, "Normal", "Pulled", f'Container image "{image}" already present on machine')
            self._create(run, container, now, out)
            return
        container.state = machine.CONTAINER["waiting", "pull"]
        container.pull_started = now
        self.container_event(run, container, out, "Normal", "Pulling", f'Pulling image "{image}"')
        if images.pull_error(image):
            self._timer_for(run, container, "pull-failed", out.dice.between(300, 700) * MILLISECOND, out)
        else:
            wait = 30 * MILLISECOND if present else images.pull_time(image, out.dice)
            self._timer_for(run, container, "pulled", wait, out)

    def _pulled(self, run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        image = container_specs(run.doc)[container.name][1]["image"]
        took = _duration(now - container.pull_started)
        words = f'Successfully pulled image "{image}" in {took} ({took} including waiting). Image size: 0 bytes.'
        self.container_event(run, container, out, "Normal", "Pulled", words)
        self.effect(out, "image", run, f"{self.config.node} pulled {image}")
        if images.normalized(image) not in self.state.images:
            self.state.images[images.normalized(image)] = None
            self.state.status_at = -1
        container.pull_failures = 0
        container.state = "waiting"
        self._create(run, container, now, out)

    def _pull_failed(self, run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        image = container_specs(run.doc)[container.name][1]["image"]
        error = images.pull_error(image)
        container.pull_failures += 1
        container.reason, container.message = "ErrImagePull", error
        self.container_event(run, container, out, "Warning", "Failed", f'Failed to pull image "{image}": {error}')
        self.container_event(run, container, out, "Warning", "Failed", "Error: ErrImagePull")
        self.effect(out, "image", run, f"{self.config.node} could not pull {image}")
        self._timer_for(run, container, "back-off", out.dice.between(1000, 2000) * MILLISECOND, out)

    def _image_backoff(self, run: PodRun, container: ContainerRun, out: Outbox) -> None:
        image = container_specs(run.doc)[container.name][1]["image"]
        words = f'Back-off pulling image "{image}"'
        container.message = f"{words}: ErrImagePull: {container.message}"
        container.reason = "ImagePullBackOff"
        self.container_event(run, container, out, "Normal", "BackOff", words)
        self.container_event(run, container, out, "Warning", "Failed", "Error: ImagePullBackOff")
        self._timer_for(run, container, "retry", backoff(container.pull_failures), out)

    def _create(self, run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        spec = container_specs(run.doc)[container.name][1]
        missing = self._missing_reference(run, spec)
        if missing:
            container.state = machine.CONTAINER["waiting", "misconfigured"]
            container.reason, container.message = "CreateContainerConfigError", missing
            self.container_event(run, container, out, "Warning", "Failed", f"Error: {missing}")
            out.timer(f"{run.uid}//references", 10 * SECOND, (run.uid, ""))
            self.publish(run, out)
            return
        container.state = "creating"
        container.reason = container.message = ""
        scheme = self.config.runtime_version.partition("://")[0]
        meta = run.doc["metadata"]
        if scheme == "fakeRuntime":
            number = f"{meta['name']}_{meta['namespace']}_{run.uid}_0_{container.name}_{container.restarts}"
        else:
            number = "".join(f"{out.dice.bits():016x}" for _ in range(4))
        container.container_id = f"{scheme}://{number}"
        self.container_event(run, container, out, "Normal", "Created", f"Created container: {container.name}")
        self._timer_for(run, container, "started", out.dice.between(40, 120) * MILLISECOND, out)

    def _started(self, run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        spec = container_specs(run.doc)[container.name][1]
        around = self.surroundings(run, spec)
        running = program(spec.get("command") or [], spec.get("args") or [], around)
        container.program, container.started_at = running, now
        if running.start_error:
            container.started_at = -1
            self.container_event(run, container, out, "Warning", "Failed", f"Error: {running.start_error}")
            container.exit_code, container.exit_reason = 128, "StartError"
            container.exit_message = running.start_error
            container.state = "exited"
            self._ended(run, container, now, out)
            return
        self.container_event(run, container, out, "Normal", "Started", f"Started container {container.name}")
        self.effect(out, "container", run, f"{self.config.node} started container {container.name} of {run.key}")
        if running.ends is not None:
            self._timer_for(run, container, "exit", running.ends, out)
        self.begin_probes(run, container, spec, now, out)
        if container.kind == "sidecar" and container.started:
            self._advance(run, now, out)

    def _exited(self, run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        """The process ended by itself (``exit``), on SIGTERM, or by SIGKILL (``kill``)."""
        out.cancel(f"{run.uid}/{container.name}/exit")
        self.end_probes(run, container, out)
        self.close_logs(run.uid, container.name, out)
        container.exit_message = ""
        self.effect(
            out, "container", run,
            f"container {container.name} of {run.key} on {self.config.node} ended with exit code {container.exit_code}",
        )  # fmt: skip
        self._ended(run, container, now, out)

    def _ended(self, run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        """Restart it, or see whether the pod is through."""
        container.finished_at = now
        container.ready = container.started = False
        self.publish(run, out)
        if run.state == "terminating":
            self._all_stopped(run, now, out)
            return
        policy = run.doc["spec"].get("restartPolicy", "Always")
        again = {"init": container.exit_code != 0 and policy != "Never", "sidecar": True, "ephemeral": False}.get(
            container.kind, policy == "Always" or (policy == "OnFailure" and container.exit_code != 0)
        )
        if again or container.killed_by:
            if container.killed_by and not again and policy == "Never":
                container.killed_by = ""
                self._see_completion(run, now, out)
                return
            container.killed_by = ""
            if container.started_at >= 0 and now - container.started_at >= BACKOFF_RESET:
                container.crashes = 0
            container.crashes += 1
            if container.crashes == 1:
                self._timer_for(run, container, "restart", RESTART_DELAY, out)
            else:
                self._timer_for(run, container, "crash", RESTART_DELAY, out)
        elif container.kind == "init" and container.exit_code == 0:
            self._advance(run, now, out)
        else:
            self._see_completion(run, now, out)

    def _crash_backoff(self, run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        wait = backoff(container.crashes - 1)
        container.state = machine.CONTAINER["exited", "back-off"]
        self._restarting_later(container)
        meta = run.doc["metadata"]
        pod = f"{meta['name']}_{meta['namespace']}({run.uid})"
        container.reason = "CrashLoopBackOff"
        length = f"{wait // SECOND}s" if wait < MINUTE else f"{wait // MINUTE}m{wait % MINUTE // SECOND}s"
        container.message = f"back-off {length} restarting failed container={container.name} pod={pod}"
        words = f"Back-off restarting failed container {container.name} in pod {pod}"
        self.container_event(run, container, out, "Warning", "BackOff", words)
        self._timer_for(run, container, "retry", max(wait - RESTART_DELAY, MILLISECOND), out)
        self.publish(run, out)

    def _restarting_later(self, container: ContainerRun) -> None:
        """While it waits, its end is shown as the last state; it counts as a restart when it really starts."""
        container.last = terminated(container, self.config.epoch)

    def _see_completion(self, run: PodRun, now: int, out: Outbox) -> None:
        """All containers ended for good: the pod is finished."""
        failed_init = any(c.kind == "init" and c.exit_code and c.state == "exited" for c in run.containers.values())
        apps = [c for c in run.containers.values() if c.kind == "app"]
        through = all(c.state == "exited" and c.finished_at >= 0 for c in apps)
        if not (failed_init or through):
            return
        event = "init-failed" if failed_init and run.state == "initializing" else "completed"
        state = machine.advance(machine.POD, run.state, event)
        if state is None:
            return
        run.state = state
        run.phase = "Failed" if failed_init or any(c.exit_code for c in apps) else "Succeeded"
        for container in run.containers.values():
            if container.kind == "sidecar" and container.state == "running":
                container.exit_code, container.exit_reason, container.state = 0, "Completed", "exited"
                container.finished_at, container.ready, container.started = now, False, False
                self.end_probes(run, container, out)
        self._account(run, -1)
        run.requests = {}
        self._release_address(run)
        self.publish(run, out)

    # -- stopping -------------------------------------------------------------------------------------------------

    def _delete(self, run: PodRun, now: int, out: Outbox) -> None:
        """The object is being deleted: stop the containers within the grace period."""
        grace = run.doc["metadata"].get("deletionGracePeriodSeconds")
        grace = 30 if grace is None else grace
        if run.state in ("finished", "new"):
            run.deleting = True
            run.state = machine.POD[run.state, "delete"]
            self.publish(run, out)
            return
        if run.state == "terminating":
            for container in run.containers.values():  # the period may have been shortened
                if container.state == "stopping":
                    self._grace(run, container, grace, out)
            run.deleting, run.failing = True, False
            return
        run.deleting = True
        self._terminate(run, "delete", grace, now, out)

    def _terminate(self, run: PodRun, event: str, grace: int, now: int, out: Outbox) -> None:
        state = machine.advance(machine.POD, run.state, event)
        if state is None:
            return
        run.state = state
        for what in ("sandbox", "sandbox-wait", "mount", "deadline", "references"):
            out.cancel(f"{run.uid}//{what}")
        for container in run.containers.values():
            if container.state == "running":
                self._stop(run, container, f"Stopping container {container.name}", now, out, grace)
            elif container.state not in ("exited", "stopping"):
                self._drop_timers(run, container, out)
                container.state = "exited"
        self.publish(run, out)
        self._all_stopped(run, now, out)

    def _stop(
        self, run: PodRun, container: ContainerRun, words: str, now: int, out: Outbox, grace: int | None = None
    ) -> None:
        """SIGTERM, and SIGKILL when the grace period is over."""
        self.container_event(run, container, out, "Normal", "Killing", words)
        container.state = machine.CONTAINER["running", "stop"]
        if not run.deleting and not run.failing:
            container.killed_by = words
        out.cancel(f"{run.uid}/{container.name}/exit")
        self.end_probes(run, container, out)
        period = run.doc["spec"].get("terminationGracePeriodSeconds")
        self._grace(run, container, grace if grace is not None else (30 if period is None else period), out)

    def _grace(self, run: PodRun, container: ContainerRun, grace: int, out: Outbox) -> None:
        deaf = container.program is not None and container.program.ignores_term
        if deaf or grace <= 0:
            container.exit_code, container.exit_reason = 137, "Error"
            self._timer_for(run, container, "kill", max(grace, 0) * SECOND + 20 * MILLISECOND, out)
        else:
            container.exit_code, container.exit_reason = 0, "Completed"
            self._timer_for(run, container, "exit", min(out.dice.between(60, 250) * MILLISECOND, grace * SECOND), out)

    def _all_stopped(self, run: PodRun, now: int, out: Outbox) -> None:
        if run.state != "terminating" or any(c.state == "stopping" for c in run.containers.values()):
            return
        run.state = machine.POD["terminating", "failed" if run.failing else "stopped"]
        run.sandbox = False
        self._account(run, -1)
        run.requests = {}
        self._release_address(run)
        self.effect(out, "sandbox", run, f"{self.config.node} stopped {run.key}")
        self.publish(run, out)

    def _release_address(self, run: PodRun) -> None:
        if self.state.addresses.get(run.ip) == run.uid:
            del self.state.addresses[run.ip]

    def _forget(self, run: PodRun, out: Outbox) -> None:
        """The object is gone (a forced deletion, or we asked for it): so is everything of it here."""
        for what in ("sandbox", "sandbox-wait", "mount", "deadline", "references"):
            out.cancel(f"{run.uid}//{what}")
        for container in run.containers.values():
            self._drop_timers(run, container, out)
            self.end_probes(run, container, out)
            self.close_logs(run.uid, container.name, out)
        if run.requests:
            self._account(run, -1)
        self._release_address(run)
        self.state.pods.pop(run.uid, None)

    def _drop_timers(self, run: PodRun, container: ContainerRun, out: Outbox) -> None:
        for what in ("pulled", "pull-failed", "back-off", "retry", "restart", "crash", "started", "exit", "kill"):
            out.cancel(f"{run.uid}/{container.name}/{what}")

    # -- timers ---------------------------------------------------------------------------------------------------

    def _timer_for(self, run: PodRun, container: ContainerRun, event: str, after: int, out: Outbox) -> None:
        out.timer(f"{run.uid}/{container.name}/{event}", after, (run.uid, container.name))

    def pod_timer(self, name: str, data: tuple[str, str], now: int, out: Outbox) -> None:
        """A timer of a pod (``uid//what``) or of a container (``uid/name/event``) ran out."""
        run = self.state.pods.get(data[0])
        if run is None:
            return
        what = name.rsplit("/", 1)[1]
        container = run.containers.get(data[1]) if data[1] else None
        if container is None:
            match what:
                case "sandbox" if run.state == "sandbox":
                    self._sandbox_ready(run, now, out)
                case "sandbox-wait" if run.state == "sandbox":
                    self._mounted(run, now, out)
                case "mount" | "references":
                    self._prepare(run, now, out)
                case "deadline" if run.state in ("sandbox", "initializing", "running"):
                    run.failing, run.phase, run.reason = True, "Failed", "DeadlineExceeded"
                    run.message = "Pod was active on the node longer than the specified deadline"
                    self.pod_event(run, out, "Normal", "DeadlineExceeded", run.message)
                    period = run.doc["spec"].get("terminationGracePeriodSeconds")
                    self._terminate(run, "fail", 30 if period is None else period, now, out)
            return
        if what.startswith("probe-"):
            self.probe(run, container, what.removeprefix("probe-"), now, out)
        elif what == "crash":
            if container.state == "exited":
                self._crash_backoff(run, container, now, out)
        else:
            if what == "exit" and container.state == "running" and container.program is not None:
                container.exit_code = container.program.exit_code
                container.exit_reason = "Completed" if container.exit_code == 0 else "Error"
            self._event(run, container, what, now, out)

    # -- taking over ----------------------------------------------------------------------------------------------

    def _adopt(self, run: PodRun, status: Doc, now: int, out: Outbox) -> None:
        """A pod that runs here already: the kubelet was restarted, its containers were not."""
        epoch = self.config.epoch
        run.start_time = parse_rfc3339(status["startTime"], epoch)
        run.requests = _requests(run.doc)
        self._account(run, 1)
        for condition in status.get("conditions") or ():
            since = condition.get("lastTransitionTime") or status["startTime"]
            run.conditions[condition["type"]] = (condition["status"], since, condition.get("reason", ""), condition.get("message", ""))
        run.ip = status.get("podIP", "")
        if not run.ip:
            run.state = "sandbox"
            self._prepare(run, now, out)
            return
        if run.ip != self.config.address:
            self.state.addresses[run.ip] = run.uid
        run.sandbox = True
        run.sent = status
        groups = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
        for known in [c for group in groups for c in status.get(group) or ()]:
            container = run.containers.get(known["name"])
            if container is not None:
                self._adopt_container(run, container, known, now, out)
        run.state = "running" if is_initialized(run) else "initializing"
        self._advance(run, now, out)

    def _adopt_container(self, run: PodRun, container: ContainerRun, known: Doc, now: int, out: Outbox) -> None:
        container.restarts = known.get("restartCount", 0)
        container.container_id = known.get("containerID", "")
        container.last = (known.get("lastState") or {}).get("terminated")
        spec = container_specs(run.doc)[container.name][1]
        state = known.get("state") or {}
        if "running" in state:
            container.state, container.attempts = "running", 1
            container.started_at = parse_rfc3339(state["running"]["startedAt"], self.config.epoch)
            container.program = program(spec.get("command") or [], spec.get("args") or [], self.surroundings(run, spec))
            if container.program.ends is not None:
                self._timer_for(run, container, "exit", container.started_at + container.program.ends - now, out)
            self.begin_probes(run, container, spec, now, out)
        elif "terminated" in state:
            ended = state["terminated"]
            container.state, container.attempts = "exited", 1
            container.exit_code, container.exit_reason = ended["exitCode"], ended.get("reason", "")
            container.finished_at = parse_rfc3339(ended["finishedAt"], self.config.epoch)
            if container.kind != "init" or container.exit_code:
                self._ended(run, container, container.finished_at, out)

    # -- environment ----------------------------------------------------------------------------------------------

    def container_spec(self, run: PodRun, container: ContainerRun) -> Doc | None:
        """The container's part of the pod's spec."""
        found = container_specs(run.doc).get(container.name)
        return found[1] if found is not None else None

    def surroundings(self, run: PodRun, spec: Doc) -> Surroundings:
        """What the program of a container of this pod can see."""
        meta = run.doc["metadata"]
        host = self.config.node if run.doc["spec"].get("hostNetwork") else run.doc["spec"].get("hostname") or meta["name"]
        return Surroundings(host, tuple(self.environment(run, spec, host).items()), spec.get("image", ""))

    def environment(self, run: PodRun, spec: Doc, host: str) -> dict[str, str]:
        """The container's environment; of Services' variables only those of ``kubernetes``."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": host}
        for source in spec.get("envFrom") or ():
            for kind, field in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
                if field in source:
                    for key, value in (run.data.get(f"{kind}/{source[field]['name']}") or {}).items():
                        env[f"{source.get('prefix', '')}{key}"] = value
        env |= {
            "KUBERNETES_SERVICE_HOST": self.config.service_host,
            "KUBERNETES_SERVICE_PORT": "443",
            "KUBERNETES_SERVICE_PORT_HTTPS": "443",
            "KUBERNETES_PORT": f"tcp://{self.config.service_host}:443",
            "KUBERNETES_PORT_443_TCP": f"tcp://{self.config.service_host}:443",
            "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
            "KUBERNETES_PORT_443_TCP_PORT": "443",
            "KUBERNETES_PORT_443_TCP_ADDR": self.config.service_host,
        }
        for entry in spec.get("env") or ():
            value = self._value(run, entry)
            if value is not None:
                env[entry["name"]] = value
        env["HOME"] = "/root"
        return env

    def _value(self, run: PodRun, entry: Doc) -> str | None:
        source = entry.get("valueFrom")
        if source is None:
            return entry.get("value", "")
        for kind, field in (("configmaps", "configMapKeyRef"), ("secrets", "secretKeyRef")):
            if field in source:
                return (run.data.get(f"{kind}/{source[field]['name']}") or {}).get(source[field]["key"])
        path = (source.get("fieldRef") or {}).get("fieldPath", "")
        meta = run.doc["metadata"]
        known = {
            "metadata.name": meta["name"],
            "metadata.namespace": meta["namespace"],
            "metadata.uid": meta["uid"],
            "spec.nodeName": self.config.node,
            "spec.serviceAccountName": run.doc["spec"].get("serviceAccountName", ""),
            "status.podIP": run.ip,
            "status.podIPs": run.ip,
            "status.hostIP": self.config.address,
            "status.hostIPs": self.config.address,
        }
        for group in ("labels", "annotations"):
            if path.startswith(f"metadata.{group}['"):
                return (meta.get(group) or {}).get(path[len(group) + 11 : -2], "")
        return known.get(path, "")

    def _missing_reference(self, run: PodRun, spec: Doc) -> str:
        """The kubelet's words for a ConfigMap, a Secret or a key of theirs that isn't there."""
        for source in spec.get("envFrom") or ():
            for kind, field in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
                ref = source.get(field)
                if ref and not ref.get("optional") and run.data.get(f"{kind}/{ref['name']}") is None:
                    return f'{kind[:-1]} "{ref["name"]}" not found'
        for entry in spec.get("env") or ():
            for kind, field, said in (("configmaps", "configMapKeyRef", "ConfigMap"), ("secrets", "secretKeyRef", "Secret")):
                ref = (entry.get("valueFrom") or {}).get(field)
                if not ref or ref.get("optional"):
                    continue
                data = run.data.get(f"{kind}/{ref['name']}")
                if data is None:
                    return f'{kind[:-1]} "{ref["name"]}" not found'
                if ref["key"] not in data:
                    return f"couldn't find key {ref['key']} in {said} {run.doc['metadata']['namespace']}/{ref['name']}"
        return ""

    # -- telling --------------------------------------------------------------------------------------------------

    def publish(self, run: PodRun, out: Outbox) -> None:
        """Its status may have changed: have it sent."""
        self.enqueue(out, "status", run.uid)

    def pod_event(self, run: PodRun, out: Outbox, kind: str, reason: str, words: str) -> None:
        """An Event about the pod."""
        self.event(out, self.reference(run), kind, reason, words, source="kubelet", host=self.config.node)

    def container_event(self, run: PodRun, container: ContainerRun, out: Outbox, kind: str, reason: str, words: str) -> None:
        """An Event about one container of the pod."""
        group = {"init": "initContainers", "sidecar": "initContainers", "ephemeral": "ephemeralContainers"}.get(container.kind, "containers")
        about = {**self.reference(run), "fieldPath": f"spec.{group}{{{container.name}}}"}
        self.event(out, about, kind, reason, words, source="kubelet", host=self.config.node)

    def reference(self, run: PodRun) -> Doc:
        """The pod as Events name it."""
        meta = run.doc["metadata"]
        about = {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"], "apiVersion": "v1"}
        if meta.get("resourceVersion"):
            about["resourceVersion"] = meta["resourceVersion"]
        return about

    def effect(self, out: Outbox, kind: str, run: PodRun, words: str) -> None:
        """A note of what was done, if it descends from a request."""
        if out.cause:
            out.note(Effect(kind, f"pods/{run.key}", words, {"node": self.config.node}))

    # -- what the other half provides -----------------------------------------------------------------------------

    def pod_cidr(self) -> str:
        """The node's pod CIDR, or ""."""
        raise NotImplementedError

    def node_limits(self) -> dict[str, int]:
        """The node's allocatable resources, nano-units."""
        raise NotImplementedError

    def on_mirror(self, event_type: str, mirror: str, new: Doc, now: int, out: Outbox) -> None:
        """The object that stands for a static pod changed."""
        raise NotImplementedError


def manifest_hash(manifest: Doc) -> str:
    """What names a version of a static pod's manifest (32 hex digits, as the kubelet's MD5)."""
    return blake2b(repr(manifest).encode(), digest_size=16).hexdigest()


def _requests(doc: Doc) -> dict[str, int]:
    """What a pod takes: the sum over containers, or the largest init container if that is more; plus overhead; one pod."""
    spec = doc["spec"]

    def of(container: Doc) -> dict[str, int]:
        resources = container.get("resources") or {}
        wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        return {name: quantity.parse(str(value)).nano for name, value in wanted.items()}

    total: dict[str, int] = {}
    for container in [*(spec.get("containers") or ()), *(c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always")]:
        for name, amount in of(container).items():
            total[name] = total.get(name, 0) + amount
    for container in spec.get("initContainers") or ():
        for name, amount in of(container).items():
            total[name] = max(total.get(name, 0), amount)
    for name, value in (spec.get("overhead") or {}).items():
        total[name] = total.get(name, 0) + quantity.parse(str(value)).nano
    total["pods"] = quantity.NANO
    return total


def _shown(name: str, nano: int) -> int:
    """Amounts in admission messages: milli-units for cpu, units for the rest."""
    return nano // (quantity.NANO // 1000) if name == "cpu" else nano // quantity.NANO


def _references(doc: Doc) -> list[tuple[str, str, bool, str]]:
    """(configmaps or secrets, name, optional, the volume's name or "" for an environment variable)."""
    spec = doc["spec"]
    found: list[tuple[str, str, bool, str]] = []
    for volume in spec.get("volumes") or ():
        if "configMap" in volume:
            found.append(("configmaps", volume["configMap"]["name"], bool(volume["configMap"].get("optional")), volume["name"]))
        elif "secret" in volume:
            found.append(("secrets", volume["secret"]["secretName"], bool(volume["secret"].get("optional")), volume["name"]))
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        for source in container.get("envFrom") or ():
            for kind, field in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
                if field in source:
                    found.append((kind, source[field]["name"], bool(source[field].get("optional")), ""))
        for entry in container.get("env") or ():
            for kind, field in (("configmaps", "configMapKeyRef"), ("secrets", "secretKeyRef")):
                ref = (entry.get("valueFrom") or {}).get(field)
                if ref:
                    found.append((kind, ref["name"], bool(ref.get("optional")), ""))
    return found


def _decoded(doc: Doc, secret: bool) -> dict[str, str]:
    data = doc.get("data") or {}
    return {k: b64decode(v).decode("utf-8", "replace") for k, v in data.items()} if secret else dict(data)


def _range(cidr: str) -> tuple[int, int]:
    """(first address as a number, how many) of an IPv4 CIDR."""
    address, _, bits = cidr.partition("/")
    parts = [int(p) for p in address.split(".")]
    return (parts[0] << 24) + (parts[1] << 16) + (parts[2] << 8) + parts[3], 1 << (32 - int(bits))


def _address(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _duration(ns: int) -> str:
    """As Go prints a duration rounded to milliseconds: ``412ms``, ``1.25s``."""
    ms = ns // MILLISECOND
    return f"{ms}ms" if ms < 1000 else f"{ms / 1000:.3f}".rstrip("0").rstrip(".") + "s"
