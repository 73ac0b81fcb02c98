"""The life of pods on a node: admission, sandbox, deadlines, termination, and taking over after a restart.

In: pod objects bound to this node (``on_pods``) and timers → out: events, notes, and statuses for the apiserver. Every change of state goes
through the tables in ``machine``; what it entails is the method named after the event.

Simplified here: volumes of ConfigMaps and Secrets are only looked for, other volumes mount at once; containers outlive a crash of the
kubelet (as they do) and also a reboot of the host (as they don't).

Upstream: pkg/kubelet/pod_workers.go, pkg/kubelet/kubelet.go (``SyncPod``, ``SyncTerminatingPod``).
"""

from hashlib import blake2b

from cluster.clientgo import Doc, key_of
from cluster.kubelet import machine
from cluster.kubelet.admission import pod_requests, refusal
from cluster.kubelet.containers import Containers
from cluster.kubelet.references import decoded, references
from cluster.kubelet.state import ContainerRun, PodRun
from cluster.kubelet.status import container_specs, is_initialized, overruled
from cluster.sim import MILLISECOND, SECOND, Outbox
from cluster.sim.clock import parse_rfc3339
from cluster.wire.http import HttpResponse

MIRROR = "kubernetes.io/config.mirror"
CLEANUP = (500 * MILLISECOND, 1500 * MILLISECOND)
"""What passes between a pod's last container and the deletion of its object: the relist that notices, volumes, cgroups."""


class PodWorkers(Containers):
    """The kubelet's pod half. ``config`` and ``state`` as in ``kubelet``."""

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
        elif int(meta.get("resourceVersion") or 0) > run.sent_version and not self.reporting(run) and overruled(run):
            run.sent = None
            self.publish(run, out)
        elif new["spec"].get("readinessGates"):
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
            run.start_time = parse_rfc3339(status["startTime"], self.config.epoch) if status.get("startTime") else now
            for known, container in self._statuses(run, status):
                self._adopt_ended(run, container, known)
        elif status.get("startTime") and not run.static:
            self._adopt(run, status, now, out)
        if run.doc["metadata"].get("deletionTimestamp"):
            self._delete(run, now, out)
            return
        if run.state == "new":
            run.requests = pod_requests(run.doc)
            labels = self.state.node["metadata"].get("labels") or {} if self.state.node is not None else None
            refused = (
                refusal(run.doc, run.requests, self.state.used, self.node_limits(), labels) if not run.static else None
            )
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

    # -- volumes, environment, sandbox ----------------------------------------------------------------------------

    def _prepare(self, run: PodRun, now: int, out: Outbox) -> None:
        """Look for the ConfigMaps and Secrets the pod names, then make its sandbox."""
        wanted = dict.fromkeys(f"{kind}/{name}" for kind, name, _, _ in references(run.doc))
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
        run.data[item] = decoded(response.doc, item.startswith("secrets/")) if response.code == 200 else None
        run.waiting_for -= 1
        if run.waiting_for == 0 and run.state == "sandbox":
            self._mounted(run, now, out)
        elif run.waiting_for == 0:
            for container in run.containers.values():
                self._event(run, container, "retry", now, out) if container.state == "config-error" else None

    def _mounted(self, run: PodRun, now: int, out: Outbox) -> None:
        for kind, name, optional, volume in references(run.doc):
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
        self.plug(run, out)
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

    def _all_stopped(self, run: PodRun, now: int, out: Outbox) -> None:
        if run.state != "terminating" or any(c.state == "stopping" for c in run.containers.values()):
            return
        run.state = machine.POD["terminating", "failed" if run.failing else "stopped"]
        run.sandbox = False
        self.unplug(run, out)
        self._account(run, -1)
        run.requests = {}
        self._release_address(run)
        self.effect(out, "sandbox", run, f"{self.config.node} stopped {run.key}")
        if run.state == "cleanup":
            low, high = CLEANUP
            out.timer(f"{run.uid}//cleanup", out.dice.between(low, high), (run.uid, ""))
        self.publish(run, out)

    def _forget(self, run: PodRun, out: Outbox) -> None:
        """The object is gone (a forced deletion, or we asked for it): so is everything of it here."""
        for what in ("sandbox", "sandbox-wait", "mount", "deadline", "references", "cleanup"):
            out.cancel(f"{run.uid}//{what}")
        for container in run.containers.values():
            self._drop_timers(run, container, out)
            self.end_probes(run, container, out)
            self.close_logs(run.uid, container.name, out)
            if container.state in ("running", "stopping"):
                self.end_process(run, container, out)
        self.unplug(run, out)
        if run.requests:
            self._account(run, -1)
        self._release_address(run)
        self.state.pods.pop(run.uid, None)

    # -- taking over ----------------------------------------------------------------------------------------------

    def _adopt(self, run: PodRun, status: Doc, now: int, out: Outbox) -> None:
        """A pod that runs here already: the kubelet was restarted, its containers were not."""
        epoch = self.config.epoch
        run.start_time = parse_rfc3339(status["startTime"], epoch)
        run.requests = pod_requests(run.doc)
        self._account(run, 1)
        for condition in status.get("conditions") or ():
            since = condition.get("lastTransitionTime") or status["startTime"]
            run.conditions[condition["type"]] = (
                condition["status"],
                since,
                condition.get("reason", ""),
                condition.get("message", ""),
            )
        run.ip = status.get("podIP", "")
        if not run.ip:
            run.state = "sandbox"
            self._prepare(run, now, out)
            return
        if run.ip != self.config.address:
            self.state.addresses[run.ip] = run.uid
        run.sandbox = True
        self.plug(run, out)
        run.sent = status
        for known, container in self._statuses(run, status):
            self._adopt_container(run, container, known, now, out)
        run.state = "running" if is_initialized(run) else "initializing"
        self._advance(run, now, out)

    @staticmethod
    def _statuses(run: PodRun, status: Doc) -> list[tuple[Doc, ContainerRun]]:
        groups = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
        found = [c for group in groups for c in status.get(group) or ()]
        return [(c, run.containers[c["name"]]) for c in found if c["name"] in run.containers]

    # -- timers ---------------------------------------------------------------------------------------------------

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
                case "cleanup" if run.state == "cleanup":
                    run.state = machine.POD["cleanup", "cleaned"]
                    self.publish(run, out)
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


def manifest_hash(manifest: Doc) -> str:
    """What names a version of a static pod's manifest (32 hex digits, as the kubelet's MD5)."""
    return blake2b(repr(manifest).encode(), digest_size=16).hexdigest()


def _range(cidr: str) -> tuple[int, int]:
    """(first address as a number, how many) of an IPv4 CIDR."""
    address, _, bits = cidr.partition("/")
    parts = [int(p) for p in address.split(".")]
    return (parts[0] << 24) + (parts[1] << 16) + (parts[2] << 8) + parts[3], 1 << (32 - int(bits))


def _address(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
