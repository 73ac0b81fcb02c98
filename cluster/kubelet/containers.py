"""The life of one container: image, create, start, exit, restart; run by the table ``machine.CONTAINER``.

In: an event of the container's state machine (``_event``) → out: what it entails: timers, Events, the pod's progress.

Simplified here: the container runtime is a table of durations and the program model; lifecycle hooks are not run (they take no time);
pulls of one node happen side by side.

Upstream: pkg/kubelet/kuberuntime/kuberuntime_container.go, kuberuntime_manager.go (``doBackOff``), images/image_manager.go.
"""

from cluster.clientgo import Doc
from cluster.kubelet import images, machine
from cluster.kubelet.netexec import NetExecs
from cluster.kubelet.probes import Probing
from cluster.kubelet.programs import Program, expand, program
from cluster.kubelet.sessions import reader_of
from cluster.kubelet.state import ContainerRun, PodRun
from cluster.kubelet.status import container_specs, terminated
from cluster.sim import MILLISECOND, MINUTE, SECOND, Outbox
from cluster.sim.clock import parse_rfc3339

BACKOFF_FIRST = 10 * SECOND
BACKOFF_MAX = 5 * MINUTE
BACKOFF_RESET = 10 * MINUTE
RESTART_DELAY = SECOND
"""How long until the kubelet notices that a container ended (PLEG relists every second)."""


def backoff(failures: int) -> int:
    """10 s, 20 s, 40 s … 5 min."""
    return min(BACKOFF_FIRST << min(max(failures - 1, 0), 10), BACKOFF_MAX)


class Containers(Probing, NetExecs):
    """The container layer."""

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
            self.container_event(
                run, container, out, "Normal", "Pulled", f'Container image "{image}" already present on machine'
            )
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
        words = [expand(word, dict(around.env)) for word in [*(spec.get("command") or ()), *(spec.get("args") or ())]]
        own = bool(self.process_of(run, container))
        if own or reader_of(spec):  # a filter that is typed to ends with its input
            running = Program()
        container.program, container.started_at = running, now
        if not own and not running.start_error and self.is_main_program(words, run, container):
            container.program = running = Program(ignores_term=running.ignores_term)
        else:
            words = []
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
        self.execute(run, container, out)
        self.listening(run, container, True, out)
        self.begin_probes(run, container, spec, now, out)
        if words:
            self.begin_main_program(words, run, container, now, out)
        if container.kind == "sidecar" and container.started:
            self._advance(run, now, out)

    def _exited(self, run: PodRun, container: ContainerRun, now: int, out: Outbox) -> None:
        """The process ended by itself (``exit``), on SIGTERM, or by SIGKILL (``kill``)."""
        out.cancel(f"{run.uid}/{container.name}/exit")
        self.end_probes(run, container, out)
        self.close_logs(run.uid, container.name, out)
        self.end_process(run, container, out)
        self.listening(run, container, False, out)
        container.exit_message = ""
        self.effect(
            out, "container", run,
            f"container {container.name} of {run.key} on {self.config.node} ended with exit code {container.exit_code}",
        )  # fmt: skip
        self._ended(run, container, now, out)

    def _died(self, run: PodRun, container: ContainerRun, code: int, now: int, out: Outbox) -> None:
        """The process that is this container's program ended by itself."""
        if container.state == "running":
            container.exit_code, container.exit_reason = code, "Completed" if code == 0 else "Error"
            self._event(run, container, "exit", now, out)

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
        self.unplug(run, out)
        self.publish(run, out)

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

    def _drop_timers(self, run: PodRun, container: ContainerRun, out: Outbox) -> None:
        for what in ("pulled", "pull-failed", "back-off", "retry", "restart", "crash", "started", "exit", "kill"):
            out.cancel(f"{run.uid}/{container.name}/{what}")

    def _timer_for(self, run: PodRun, container: ContainerRun, event: str, after: int, out: Outbox) -> None:
        out.timer(f"{run.uid}/{container.name}/{event}", after, (run.uid, container.name))

    def _adopt_container(self, run: PodRun, container: ContainerRun, known: Doc, now: int, out: Outbox) -> None:
        container.restarts = known.get("restartCount", 0)
        container.container_id = known.get("containerID", "")
        container.last = (known.get("lastState") or {}).get("terminated")
        spec = container_specs(run.doc)[container.name][1]
        if container.container_id:
            self.state.images[images.normalized(spec.get("image", ""))] = None
        state = known.get("state") or {}
        if "running" in state:
            container.state, container.attempts = "running", 1
            container.started_at = parse_rfc3339(state["running"]["startedAt"], self.config.epoch)
            container.program = program(spec.get("command") or [], spec.get("args") or [], self.surroundings(run, spec))
            if self.process_of(run, container):
                container.program = Program()
            if container.program.ends is not None:
                self._timer_for(run, container, "exit", container.started_at + container.program.ends - now, out)
            self.adopt_process(run, container, out)
            self.listening(run, container, True, out)
            self.begin_probes(run, container, spec, now, out)
        elif "terminated" in state:
            self._adopt_ended(run, container, known)
            if container.kind != "init" or container.exit_code:
                self._ended(run, container, container.finished_at, out)

    def _adopt_ended(self, run: PodRun, container: ContainerRun, known: Doc) -> None:
        """What is known of a container that ended before this kubelet started."""
        container.restarts = known.get("restartCount", 0)
        container.container_id = known.get("containerID", "")
        container.last = (known.get("lastState") or {}).get("terminated")
        ended = (known.get("state") or {}).get("terminated")
        if ended is None:
            return
        epoch = self.config.epoch
        container.state, container.attempts = "exited", 1
        container.exit_code, container.exit_reason = ended["exitCode"], ended.get("reason", "")
        container.exit_message = ended.get("message", "")
        container.finished_at = parse_rfc3339(ended["finishedAt"], epoch)
        container.started_at = max(-1, parse_rfc3339(ended.get("startedAt") or ended["finishedAt"], epoch))
        spec = container_specs(run.doc)[container.name][1]
        container.program = program(spec.get("command") or [], spec.get("args") or [], self.surroundings(run, spec))


def _duration(ns: int) -> str:
    """As Go prints a duration rounded to milliseconds: ``412ms``, ``1.25s``."""
    ms = ns // MILLISECOND
    return f"{ms}ms" if ms < 1000 else f"{ms / 1000:.3f}".rstrip("0").rstrip(".") + "s"
