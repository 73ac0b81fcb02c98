"""What kube-proxy answers over HTTP on its node: is this node worth a load balancer's traffic, does the proxy live, what has it counted.

Three kinds of servers, each with a socket of its own:

* ``healthCheckNodePort`` of a LoadBalancer Service with ``externalTrafficPolicy: Local``: 200 while this node has a ready endpoint of it, else 503, with
  the number in the body and in ``X-Load-Balancing-Endpoint-Weight``. Terminating endpoints may still be served, but don't count. Numbers are
  those of the last sync.
* ``healthzBindAddress`` (``0.0.0.0:10256``): ``/healthz`` (503 also while the Node is being deleted) and ``/livez``. A proxy is ill when a change has waited
  for a sync twice as long as a sync period.
* ``metricsBindAddress`` (``127.0.0.1:10249``): ``/metrics``, ``/proxyMode``, ``/healthz``.

In: ``ProxyState`` and a request → out: an ``HttpResponse``; ``sockets`` says what the node's kernel is to listen on for this process.

Simplified here: no durations in ``/metrics`` (a sync takes no time here), none of Go's own figures, no ``/configz`` and no profiling; a port that another
program has is not noticed.

Upstream: pkg/proxy/healthcheck/{service_health,proxier_health}.go, pkg/proxy/metrics/metrics.go, cmd/kube-proxy/app/server.go (1.32).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from typing import Any

from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.kubeproxy.endpoints import select
from cluster.kubeproxy.modes import iptables, nftables
from cluster.kubeproxy.options import ProxyOptions
from cluster.kubeproxy.rulebook import SYNC_PERIOD
from cluster.kubeproxy.state import HealthState, ProxyState
from cluster.sim import SECOND
from cluster.wire.http import HttpResponse
from cluster.wire.packet import Listener, SocketRequest

HEALTHZ, METRICS = "0.0.0.0:10256", "127.0.0.1:10249"
PATIENCE = 2 * SYNC_PERIOD
DELETED_SOON = "ToBeDeletedByClusterAutoscaler"
"""The taint of a Node that the cluster autoscaler is about to delete."""
NO_SNIFF = ("x-content-type-options", "nosniff")
TEXT = ("content-type", "text/plain; charset=utf-8")
Families = Iterator[tuple[str, str, str, Sequence[tuple[str, float]]]]
"""Name without ``kubeproxy_``, kind, help, and (labels, value) of each series."""


def bind_addresses(document: dict[str, Any] | None) -> dict[str, tuple[str, int]]:
    """(address, port) of ``healthz`` and ``metrics``. ValueError: (field, value, what it must be)."""
    found: dict[str, tuple[str, int]] = {}
    for kind, default in (("healthz", HEALTHZ), ("metrics", METRICS)):
        given = (document or {}).get(f"{kind}BindAddress") or default
        address, _, port = given.rpartition(":")
        if not address or (":" in address and not address.startswith("[")):  # an address alone: its usual port
            address, port = given, default.rpartition(":")[2]
        name = f"{kind.capitalize()}BindAddress"
        try:
            plain = str(ip_address(address.strip("[]")))
        except ValueError:
            raise ValueError(name, given, "must be a valid IP") from None
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(name, given, "must be a valid port")
        found[kind] = ("" if plain in ("0.0.0.0", "::") else plain, int(port))
    return found


def look(health: HealthState, tracker: ChangeTracker, node: str, changed: Iterable[str]) -> None:
    """After a sync: the counts of the Services that changed."""
    health.queued = -1
    health.pending = {"service": {}, "endpoint": {}}
    for service in changed:
        ports = tracker.services.get(service, {})
        number = next((one.health_check_node_port for one in ports.values() if one.health_check_node_port), 0)
        if not number:
            health.services.pop(service, None)
            continue
        here = {e.ip for name in ports for e in tracker.endpoints(name) if e.ready and e.node == node}
        health.services[service] = number, len(here)


def sockets(state: ProxyState, options: Callable[[], ProxyOptions]) -> tuple[Listener, ...]:
    """What the process listens on. Health check node ports are bound to the addresses that take node ports."""
    found = [Listener("tcp", port, "kube-proxy", kind, address) for kind, (address, port) in bind_addresses(state.document).items()]  # fmt: skip
    if state.health.services:
        given = options()
        addresses = nftables.nodeport_ips(given) if given.mode == "nftables" else given.nodeport_match()
        for service, (port, _) in sorted(state.health.services.items()):
            found += [Listener("tcp", port, "kube-proxy", service, one) for one in (("",) if addresses is None else addresses)]  # fmt: skip
    return tuple(found)


def healthy(health: HealthState, now: int) -> bool:
    """Whether no change has waited too long for its sync."""
    return health.queued < 0 or now - health.queued < PATIENCE


def answer(request: SocketRequest, state: ProxyState, options: ProxyOptions, epoch: int, now: int) -> HttpResponse:
    """What the server behind that socket says."""
    if "/" in request.socket:
        code, headers, body = _service(request.socket, state.health, now)
    elif request.socket == "healthz":
        code, headers, body = _healthz(request.path, state, epoch, now)
    else:
        code, headers, body = _metrics(request.path, state, options, epoch)
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch + now // SECOND)
    headers = (*headers, ("date", f"{date:%a, %d %b %Y %H:%M:%S} GMT"))
    return HttpResponse(request.id, code, headers, body.encode())


Said = tuple[int, tuple[tuple[str, str], ...], str]


def _service(service: str, health: HealthState, now: int) -> Said:
    _, count = health.services.get(service, (0, 0))
    well = healthy(health, now)
    namespace, _, name = service.partition("/")
    body = (
        f'{{\n\t"service": {{\n\t\t"namespace": "{namespace}",\n\t\t"name": "{name}"\n\t}},\n\t"localEndpoints": {count},\n'
        f'\t"serviceProxyHealthy": {str(well).lower()}\n}}'
    )
    headers = (("content-type", "application/json"), NO_SNIFF, ("x-load-balancing-endpoint-weight", str(count)))
    return (200 if count and well else 503), headers, body


def _healthz(path: str, state: ProxyState, epoch: int, now: int) -> Said:
    health = state.health
    if path not in ("/healthz", "/livez"):
        return _not_found()
    well = healthy(health, now)
    eligible = f', "nodeEligible": {str(health.eligible).lower()}' if path == "/healthz" else ""
    current = _moment(epoch, now, health.began)
    last = current if well else _moment(epoch, max(0, state.last_sync), health.began)
    code = 200 if well and (health.eligible or not eligible) else 503
    counts = health.probes[path[1:]]
    counts[code] = counts.get(code, 0) + 1
    body = f'{{"lastUpdated": "{last}","currentTime": "{current}"{eligible}}}'
    return code, (("content-type", "application/json"), NO_SNIFF), body


def _moment(epoch: int, at: int, began: int) -> str:
    """A time as Go prints it, with the monotonic clock's reading."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch + at // SECOND)
    rest = f"{at % SECOND:09}".rstrip("0")
    ran = max(0, at - began)
    return f"{moment:%Y-%m-%d %H:%M:%S}{'.' if rest else ''}{rest} +0000 UTC m=+{ran // SECOND}.{ran % SECOND:09}"


def _metrics(path: str, state: ProxyState, options: ProxyOptions, epoch: int) -> Said:
    match path:
        case "/proxyMode":
            return 200, (TEXT, NO_SNIFF), options.mode
        case "/healthz" | "/healthz/ping" | "/healthz/log":
            return 200, (TEXT, NO_SNIFF), "ok"
        case "/metrics":
            return (
                200,
                (("content-type", "text/plain; version=0.0.4; charset=utf-8"),),
                "".join(_page(state, options, epoch)),
            )
    return _not_found()


def _not_found() -> Said:
    return 404, (TEXT, NO_SNIFF), "404 page not found\n"


def _page(state: ProxyState, options: ProxyOptions, epoch: int) -> Iterator[str]:
    for name, kind, words, series in sorted(_families(state, options, epoch)):
        if series:
            yield f"# HELP kubeproxy_{name} [ALPHA] {words}\n# TYPE kubeproxy_{name} {kind}\n"
            for labels, value in series:
                yield f"kubeproxy_{name}{f'{{{labels}}}' if labels else ''} {go_number(value)}\n"


def _families(state: ProxyState, options: ProxyOptions, epoch: int) -> Families:
    health = state.health
    for kind in ("healthz", "livez"):
        seen = [(f'code="{code}"', float(count)) for code, count in sorted(health.probes[kind].items())]
        yield f"proxy_{kind}_total", "counter", f"Cumulative proxy {kind} HTTP status", seen
    for kind in ("endpoint", "service"):
        words = f"proxy rules {kind.capitalize()} changes"
        head = f"sync_proxy_rules_{kind}_changes"
        yield f"{head}_pending", "gauge", f"Pending {words}", [("", len(health.pending[kind]))]
        yield f"{head}_total", "counter", f"Cumulative {words}", [("", health.changes[kind])]
    for name, at, words in (
        ("last_queued_timestamp_seconds", health.last_queued, "The last time a sync of proxy rules was queued"),
        ("last_timestamp_seconds", state.last_sync, "The last time proxy rules were successfully synced"),
    ):
        value = epoch + at / SECOND if at >= 0 else 0
        yield f"sync_proxy_rules_{name}", "gauge", words, [("", value)]
    words = "Number of services with a Local traffic policy and no endpoints"
    policies = [(f'traffic_policy="{kind}"', count) for kind, count in _without_local(state.tracker, options).items()]
    yield "sync_proxy_rules_no_local_endpoints_total", "gauge", words, policies
    if options.mode == "nftables":
        for what in ("cleanup", "sync"):
            yield f"sync_proxy_rules_nftables_{what}_failures_total", "counter", f"Cumulative proxy nftables {what} failures", [("", 0)]  # fmt: skip
        return
    yield "sync_proxy_rules_iptables_restore_failures_total", "counter", "Cumulative proxy iptables restore failures", [("", 0)]  # fmt: skip
    if options.mode == "iptables":
        words = "Cumulative proxy iptables partial restore failures"
        yield "sync_proxy_rules_iptables_partial_restore_failures_total", "counter", words, [("", 0)]
        words = "Total number of iptables rules owned by kube-proxy"
        counts = [(f'table="{table}"', count) for table, count in _rules(state, options).items()]
        yield "sync_proxy_rules_iptables_total", "gauge", words, counts


def _rules(state: ProxyState, options: ProxyOptions) -> dict[str, int]:
    """Rules of each table as a full sync would write them (the jumps from the built-in chains are not among them)."""
    base = iptables.restore_input(options, (), ()).partition("*nat")
    ports = state.book.ports.values()
    return {
        "filter": base[0].count("\n-A ") + sum(len(one.filter) for one in ports),
        "nat": base[2].count("\n-A ") + sum(len(one.nat) + sum(len(lines) for _, lines in one.chains) for one in ports),
    }


def _without_local(tracker: ChangeTracker, options: ProxyOptions) -> dict[str, int]:
    found = {"external": 0, "internal": 0}
    for ports in tracker.services.values():
        for name, port in ports.items():
            if port.internal_local or port.external_local:
                chosen = select(tracker.endpoints(name), port, options.node, options.zone)
                if chosen.has_endpoints and not chosen.local:
                    found["internal"] += port.internal_local
                    found["external"] += port.external_local
    return found


def go_number(value: float) -> str:
    """A number as Go's shortest ``%g``: ``1.7646108e+09``, ``42``."""
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    power = len(digits) - 1 + int(exponent)
    if not value or -4 <= power < 6:
        return repr(float(value)).removesuffix(".0")
    rest = "".join(map(str, digits[1:]))
    return f"{'-' * sign}{digits[0]}{'.' if rest else ''}{rest}e{power:+03}"
