"""Probes: startup, readiness, liveness. What they find decides whether a container is ready, and whether it lives on.

In: a container that has started → out: its readiness, Unhealthy events, a restart. A probe that succeeds, and by the program model will
go on succeeding, is not repeated: a cluster of healthy pods costs nothing.

Simplified here: HTTP, TCP and gRPC probes reach a server if the program is one and listens on that port (known images have known
ports; others listen wherever they are asked); exec probes run in the program model; timeouts never happen.

Upstream: pkg/kubelet/prober/worker.go, pkg/probe.
"""

from typing import Any

from cluster.kubelet.agent import Agent
from cluster.kubelet.images import short_name
from cluster.kubelet.programs import run_once
from cluster.kubelet.state import ContainerRun, PodRun
from cluster.sim import MILLISECOND, SECOND, Outbox

KINDS = {"startup": "startupProbe", "readiness": "readinessProbe", "liveness": "livenessProbe"}
PORTS = {"nginx": (80,), "httpd": (80,), "redis": (6379,), "postgres": (5432,), "mysql": (3306,)}
"""Where well-known images listen."""
STATIC_SERVERS = ("nginx", "httpd")


class Probing(Agent):
    """The probing part of the kubelet."""

    def begin_probes(self, run: PodRun, container: ContainerRun, spec: dict[str, Any], now: int, out: Outbox) -> None:
        """The container has started: begin with the startup probe, or with the other two."""
        container.probes = {}
        container.ready = False
        if spec.get("startupProbe"):
            container.started = False
            self._schedule(run, container, "startup", spec["startupProbe"].get("initialDelaySeconds", 0) * SECOND, out)
        else:
            self._past_startup(run, container, spec, now, out)

    def _past_startup(self, run: PodRun, container: ContainerRun, spec: dict[str, Any], now: int, out: Outbox) -> None:
        container.started = True
        container.ready = not spec.get("readinessProbe")
        elapsed = now - container.started_at
        for kind in ("readiness", "liveness"):
            probe = spec.get(KINDS[kind])
            if probe:
                wait = max(0, probe.get("initialDelaySeconds", 0) * SECOND - elapsed)
                self._schedule(run, container, kind, wait, out)

    def end_probes(self, run: PodRun, container: ContainerRun, out: Outbox) -> None:
        """The container stops: no more probes, and it isn't ready."""
        for kind in KINDS:
            out.cancel(f"{run.uid}/{container.name}/probe-{kind}")
        container.ready = container.started = False

    def _schedule(self, run: PodRun, container: ContainerRun, kind: str, after: int, out: Outbox) -> None:
        wait = after + out.dice.between(20, 120) * MILLISECOND
        out.timer(f"{run.uid}/{container.name}/probe-{kind}", wait, (run.uid, container.name))

    def probe(self, run: PodRun, container: ContainerRun, kind: str, now: int, out: Outbox) -> None:
        """Probe once and act on what the last results say."""
        spec = self.container_spec(run, container)
        probe = (spec or {}).get(KINDS[kind])
        if spec is None or not probe or container.state != "running":
            return
        ok, words = self._result(run, container, spec, probe, now)
        good, bad = container.probes.get(kind, (0, 0))
        good, bad = (good + 1, 0) if ok else (0, bad + 1)
        container.probes[kind] = (good, bad)
        if not ok:
            self.container_event(
                run, container, out, "Warning", "Unhealthy", f"{kind.capitalize()} probe failed: {words}"
            )
        if ok and good >= probe.get("successThreshold", 1):
            if kind == "startup":
                self._past_startup(run, container, spec, now, out)
                self.publish(run, out)
                self._advance(run, now, out)
                return
            if kind == "readiness" and not container.ready:
                container.ready = True
                self.publish(run, out)
            if self._steady(container, now):
                return
        elif bad >= probe.get("failureThreshold", 3):
            if kind == "readiness":
                if container.ready:
                    container.ready = False
                    self.publish(run, out)
            else:
                period = probe.get("terminationGracePeriodSeconds")
                self._stop(
                    run,
                    container,
                    f"Container {container.name} failed {kind} probe, will be restarted",
                    now,
                    out,
                    period,
                )
                self.publish(run, out)
                return
        self._schedule(run, container, kind, probe.get("periodSeconds", 10) * SECOND, out)

    @staticmethod
    def _steady(container: ContainerRun, now: int) -> bool:
        """Nothing the program model foresees will change a later result."""
        running = container.program
        return running is not None and not any(at > now - container.started_at for at, _, _ in running.files)

    def _result(
        self, run: PodRun, container: ContainerRun, spec: dict[str, Any], probe: dict[str, Any], now: int
    ) -> tuple[bool, str]:
        running = container.program
        assert running is not None
        if "exec" in probe:
            around = self.surroundings(run, spec)
            lines, code, error = run_once(
                probe["exec"].get("command") or ["true"], around, running, now - container.started_at
            )
            return code == 0 and not error, error or "\n".join(lines)
        action = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}
        port = _port(action.get("port", 0), spec)
        host = action.get("host") or run.ip
        image = short_name(spec.get("image", ""))
        known = PORTS.get(image)
        open_ports = (*known, *(p["containerPort"] for p in spec.get("ports") or ())) if known else None
        refused = running.ignores_term or (open_ports is not None and port not in open_ports)
        if "httpGet" in probe:
            url = f"{action.get('scheme', 'HTTP').lower()}://{host}:{port}{action.get('path') or '/'}"
            if refused:
                return False, f'Get "{url}": dial tcp {host}:{port}: connect: connection refused'
            if image in STATIC_SERVERS and (action.get("path") or "/") not in ("/", "/index.html"):
                return False, "HTTP probe failed with statuscode: 404"
            return True, ""
        return (not refused), f"dial tcp {host}:{port}: connect: connection refused"


def _port(port: Any, spec: dict[str, Any]) -> int:
    """A number, or the number of the container port of that name; 0 if there is none."""
    if isinstance(port, int):
        return port
    if str(port).isdigit():
        return int(port)
    return next((p["containerPort"] for p in spec.get("ports") or () if p.get("name") == port), 0)
