"""Containers whose program is a process of the world, and what the node's kernel is told of all others.

kube-proxy and CoreDNS run as processes of their own (``kube-proxy-<node>``, ``coredns-<node>``): their container's start executes the process, its end
kills it, and what the process writes is the container's log. When the process dies by itself, so has the container.

Every pod is plugged into the network when its sandbox is made (``Attach``) and pulled out when it is stopped (``Detach``); what a
container listens on is told when it starts.

Upstream: the container runtime and its CNI plug-in.
"""

from typing import Any

from msgspec import structs

from cluster.kubelet import images
from cluster.kubelet.server import Serving
from cluster.kubelet.state import ContainerRun, PodRun
from cluster.kubelet.status import container_specs
from cluster.network.servers import listeners
from cluster.sim import Outbox, PeerDown
from cluster.wire.packet import Attach, Detach, Listening
from cluster.wire.process import ProcessBegin, ProcessBooted, ProcessEnded, ProcessOutput

HOSTED = ("kube-proxy", "coredns")
"""Images whose program is a process."""
LOG_LINES = 400
"""Lines of a process that are kept."""


class Hosted(Serving):
    """A layer of the kubelet."""

    def process_of(self, run: PodRun, container: ContainerRun) -> str:
        """The process that is this container's program; "" if the model runs it."""
        spec = container_specs(run.doc)[container.name][1]
        image = images.short_name(spec.get("image", ""))
        namespace = run.doc["metadata"]["namespace"]
        ours = image in HOSTED and namespace == "kube-system" and self.config.kernel
        return f"{image}-{self.config.node}" if ours else ""

    # -- the network ----------------------------------------------------------------------------------------------

    def plug(self, run: PodRun, out: Outbox) -> None:
        """CNI ADD."""
        if self.config.kernel:
            host = bool(run.doc["spec"].get("hostNetwork"))
            out.send(self.config.kernel, Attach(run.uid, run.key, run.ip, host))

    def unplug(self, run: PodRun, out: Outbox) -> None:
        """CNI DEL."""
        if self.config.kernel and run.ip:
            out.send(self.config.kernel, Detach(run.uid))

    def listening(self, run: PodRun, container: ContainerRun, on: bool, out: Outbox) -> None:
        """The container's programs listen, or don't any more."""
        if not self.config.kernel or container.kind == "init":
            return
        spec = container_specs(run.doc)[container.name][1]
        found = listeners(images.short_name(spec.get("image", "")), spec) if on else ()
        if found or not on:
            out.send(self.config.kernel, Listening(run.uid, container.name, found))

    # -- processes ------------------------------------------------------------------------------------------------

    def execute(self, run: PodRun, container: ContainerRun, out: Outbox) -> None:
        """The container was started: so is its process. It asks who it is once it runs."""
        process = self.process_of(run, container)
        if not process:
            return
        if process.startswith("kube-proxy-") and len(self._containers_of(process)) > 1:
            self._kill(process, out)  # the old Pod's, which is still being stopped
        elif self._containers_of(process)[1:]:
            out.send(process, self._beginning(run, container, False))
        out.execute(process)

    def adopt_process(self, run: PodRun, container: ContainerRun, out: Outbox) -> None:
        """This kubelet was restarted; the process may run or not. If not, it asks again who it is until it is told."""
        process = self.process_of(run, container)
        if process:
            self.state.alive[process] = True
            out.execute(process)

    def _kill(self, process: str, out: Outbox) -> None:
        out.kill(process)
        self.state.alive.pop(process, None)

    def end_process(self, run: PodRun, container: ContainerRun, out: Outbox) -> None:
        """The container ended: kill its process, unless another container here has the same."""
        process = self.process_of(run, container)
        if process and all(one is container for _, one in self._containers_of(process)):
            self._kill(process, out)

    def _containers_of(self, process: str) -> list[tuple[PodRun, ContainerRun]]:
        return [
            (run, container)
            for run in self.state.pods.values()
            for container in run.containers.values()
            if container.state in ("running", "stopping") and self.process_of(run, container) == process
        ]

    def _beginning(self, run: PodRun, container: ContainerRun, adopted: bool) -> ProcessBegin:
        files: dict[str, str] = {}
        for volume in run.doc["spec"].get("volumes") or ():
            if "configMap" in volume:
                files |= run.data.get(f"configmaps/{volume['configMap']['name']}") or {}
        return ProcessBegin(run.uid, run.key, container.name, run.ip, files, adopted)

    def process_said(self, src: str, message: Any, now: int, out: Outbox) -> bool:
        """A message of a process that is a container here. False: it is none."""
        match message:
            case ProcessBooted():
                self.state.alive[src] = True
                for run, container in self._containers_of(src):
                    if container.state == "running":
                        out.send(src, self._beginning(run, container, False))
            case ProcessOutput(lines=lines):
                for run, container in self._containers_of(src):
                    self._log(run, container, lines, now, out)
            case ProcessEnded(code=code, lines=lines):
                for run, container in self._containers_of(src):
                    self._log(run, container, lines, now, out)
                    self._died(run, container, code, now, out)
            case PeerDown() if not self.state.alive.pop(message.peer, False):
                pass  # we killed it ourselves, or it has just been executed: that is no news
            case PeerDown():
                for run, container in self._containers_of(message.peer):
                    self._died(run, container, 137, now, out)
            case _:
                return False
        return True

    def _log(self, run: PodRun, container: ContainerRun, lines: tuple[str, ...], now: int, out: Outbox) -> None:
        if container.program is None:
            return
        since = max(0, now - container.started_at)
        output = (*container.program.output, *((since, line) for line in lines))[-LOG_LINES:]
        container.program = structs.replace(container.program, output=output)
        for request in [i for i, s in self.state.streams.items() if s.uid == run.uid and s.container == container.name]:
            self.log_due(request, now, out)

    def _died(self, run: PodRun, container: ContainerRun, code: int, now: int, out: Outbox) -> None:
        raise NotImplementedError
