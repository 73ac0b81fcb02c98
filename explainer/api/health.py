"""``/healthz``: this process answers. ``/readyz``: a ``kubectl get nodes`` on the default cluster would. ``/metrics``: Prometheus."""

import resource
import sys

import msgspec
from django.http import HttpRequest, HttpResponse

from explainer.runs import clusters, keys
from explainer.runs.bus import Bus, Unavailable, current
from explainer.sockets.consumers import hub

TEXT = "text/plain; charset=utf-8"


async def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type=TEXT)


async def readyz(request: HttpRequest) -> HttpResponse:
    """200 once the default cluster is up and run by somebody, else 503 and why."""
    why = await unready()
    return HttpResponse(why or "ok", content_type=TEXT, status=503 if why else 200)


async def unready(cluster: str = clusters.DEFAULT) -> str:
    """Why ``cluster`` isn't ready; empty when it is."""
    bus = current()
    try:
        clock, trouble, lease = await _state(bus, cluster)
    except Unavailable as error:
        return str(error)
    if trouble:
        return trouble.decode()
    if not lease:
        return f"nobody runs the cluster {cluster}"
    if not clock or not msgspec.json.decode(clock)["ready"]:
        return f"the cluster {cluster} is coming up"
    return ""


async def _state(bus: Bus, cluster: str) -> tuple[bytes | None, bytes | None, bytes | None]:
    clock, trouble = await bus.call_redis("HMGET", keys.model(cluster), "clock", "trouble")
    return clock, trouble, await bus.call_redis("GET", keys.lease(cluster))


async def metrics(request: HttpRequest) -> HttpResponse:
    """Counters of this process and gauges of each cluster."""
    bus = current()
    rows = [
        ("clearplane_gateway_requests_total", "counter", "Requests that came through the Kubernetes door.",
         [("", bus.counters["gateway_requests"])]),
        ("clearplane_gateway_open_streams", "gauge", "Requests without an end.", [("", len(bus.exchanges))]),
        ("clearplane_onlookers", "gauge", "Websockets per cluster.",
         [(f'{{cluster="{name}"}}', count) for name, count in hub().counts().items()]),
        ("clearplane_web_resident_peak_bytes", "gauge", "Peak resident memory of the web process.",
         [("", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))]),
    ]  # fmt: skip
    gauges: dict[str, list[tuple[str, float]]] = {"virtual_seconds": [], "ready": [], "waiting": [], "paused": []}
    try:
        for name in sorted(bus.known):
            blob = await bus.call_redis("HGET", keys.model(name), "clock")
            if blob:
                clock = msgspec.json.decode(blob)
                label = f'{{cluster="{name}"}}'
                gauges["virtual_seconds"].append((label, clock["nowMicros"] / 1e6))
                gauges["ready"].append((label, int(clock["ready"])))
                gauges["waiting"].append((label, clock["waiting"]))
                gauges["paused"].append((label, int(clock["paused"])))
        redis_up = 1
    except Unavailable:
        redis_up = 0
    rows.append(("clearplane_redis_up", "gauge", "Redis answers.", [("", redis_up)]))
    rows += [
        (f"clearplane_cluster_{name}", "gauge", f"Clock of each cluster: {name}.", points)
        for name, points in gauges.items()
    ]
    lines = []
    for name, kind, text, points in rows:
        lines += [
            f"# HELP {name} {text}",
            f"# TYPE {name} {kind}",
            *(f"{name}{label} {value}" for label, value in points),
        ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")
