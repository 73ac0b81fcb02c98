"""/healthz, /livez, /readyz: is the server well? One line a check, ``[+]name ok`` or ``[-]name failed``.

In → the path and its query; out → code and text. Checks are real: etcd's quorum answered a read lately, the caches are filled, every
post-start hook is done.

The check of etcd reads ``/registry/health``, unless a quorum answered something else within the last second, and fails when there is no
connection or no answer for 2 s. It runs in the background and the answer is what it last found, as the real one's limiter does for all
but one request a second.

Simplified here: /readyz lists its two checks of etcd when they fail only (the recordings of 1.32.13 have a /readyz without them; clusters of
kubeadm list them always).

Upstream: apiserver/pkg/server/healthz/healthz.go, apiserver/pkg/storage/storagebackend/factory/etcd3.go (v1.32).
"""

from typing import Any
from urllib.parse import parse_qsl

from cluster.apiserver import etcd_client
from cluster.apiserver.job import continuation
from cluster.sim import SECOND, Outbox
from cluster.wire import etcd as wire
from cluster.wire.http import HttpRequest, HttpResponse

CHECK_TIMEOUT = 2 * SECOND
"""``--etcd-healthcheck-timeout`` and ``--etcd-readycheck-timeout``."""

HOOKS = (
    "start-apiserver-admission-initializer", "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer", "priority-and-fairness-filter", "storage-object-count-tracker-hook",
    "start-apiextensions-informers", "start-apiextensions-controllers", "crd-informer-synced",
    "start-system-namespaces-controller", "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller", "start-kube-apiserver-identity-lease-garbage-collector",
    "start-legacy-token-tracking-controller", "start-service-ip-repair-controllers", "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes", "priority-and-fairness-config-producer", "bootstrap-controller",
    "aggregator-reload-proxy-client-cert", "start-kube-aggregator-informers",
    "apiservice-status-local-available-controller", "apiservice-status-remote-available-controller",
    "apiservice-registration-controller", "apiservice-wait-for-first-sync", "apiservice-discovery-controller",
    "kube-apiserver-autoregistration",
)  # fmt: skip
"""In the order in which the real server lists them."""
_LAST = ("poststarthook/apiservice-openapi-controller", "poststarthook/apiservice-openapiv3-controller")
_BOOTSTRAP = ("rbac/bootstrap-roles", "scheduling/bootstrap-system-priority-classes", "bootstrap-controller",
              "priority-and-fairness-config-producer", "start-system-namespaces-controller")  # fmt: skip


def checks(kind: str) -> list[str]:
    """The names of the checks of ``healthz``, ``livez`` or ``readyz``, in order."""
    first = ["ping", "log", "informer-sync" if kind == "readyz" else "etcd"]
    names = first + [f"poststarthook/{hook}" for hook in HOOKS] + ["autoregister-completion", *_LAST]
    return [*names, "shutdown"] if kind == "readyz" else names


def etcd_failure(server: Any) -> str:
    """What the last check of etcd found: "" when it is well."""
    state = server.state
    if not state.ready and not state.etcd_heard:
        return "etcd client connection not yet established"
    late = state.etcd_check and server.now - state.etcd_check >= CHECK_TIMEOUT
    return (
        "error getting data from etcd: context deadline exceeded" if late or not etcd_client.connected(server) else ""
    )


def check_etcd(server: Any, out: Outbox) -> None:
    """See whether etcd's quorum answers, if nothing has shown so lately and nobody is looking."""
    state = server.state
    if state.etcd_asked or server.now - state.etcd_heard < CHECK_TIMEOUT // 2 or not etcd_client.connected(server):
        return
    state.etcd_asked = True
    state.etcd_check = state.etcd_check or server.now
    server.ask(out, None, wire.RangeRequest(out.next_id(), b"/registry/health"), etcd_checked)


@continuation
def etcd_checked(server: Any, job: None, out: Outbox, answer: wire.RangeResponse | wire.EtcdError) -> None:
    """An answer has cleared ``etcd_check`` already; an error leaves it, and the next probe asks again."""
    server.state.etcd_asked = False


def probed(server: Any, src: str, request: HttpRequest, out: Outbox) -> None:
    """The balancer's probe of /readyz: it is no request that anybody traces, and needs no place in the queue."""
    out.cause = 0
    check_etcd(server, out)
    names = checks("readyz")
    code = 500 if server.state.ending or any(failure(server, name) for name in (*names, "etcd")) else 200
    out.send(src, HttpResponse(request.id, code))


def failure(server: Any, name: str) -> str:
    """ "" when the check passes, else why not."""
    state = server.state
    if name == "shutdown":
        return "process is shutting down" if state.ending else ""
    if name in ("etcd", "etcd-readiness"):
        return etcd_failure(server)
    if name == "informer-sync":
        return "" if state.ready else "informers not started yet"
    if name.startswith("poststarthook/"):
        hook = name.removeprefix("poststarthook/")
        done = state.hooks.get("bootstrap", False) if hook in _BOOTSTRAP else state.ready
        return "" if done else "not finished"
    return ""


def answer(server: Any, path: str, query: str, out: Outbox) -> tuple[int, str]:
    """``(code, text)`` for ``/readyz?verbose&exclude=etcd`` and its like; 404 for an unknown check."""
    parts = path.strip("/").split("/", 1)
    kind = parts[0]
    check_etcd(server, out)
    names = checks(kind)
    if kind == "readyz" and etcd_failure(server):
        names[2:2] = ["etcd", "etcd-readiness"]
    if len(parts) == 2:
        if parts[1] not in names and parts[1] != "etcd":
            return 404, "404 page not found\n"
        why = failure(server, parts[1])
        return (500, f"internal server error: {why}\n") if why else (200, "ok")
    pairs = parse_qsl(query, keep_blank_values=True)
    verbose = any(key == "verbose" for key, _ in pairs)
    excluded = [value for key, value in pairs if key == "exclude"]
    lines: list[str] = []
    failed: list[str] = []
    for name in names:
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok\n")
        elif failure(server, name):
            lines.append(f"[-]{name} failed: reason withheld\n")
            failed.append(name)
        else:
            lines.append(f"[+]{name} ok\n")
    unknown = [name for name in excluded if name not in names]
    text = "".join(lines)
    if unknown:
        quoted = ", ".join(f'"{name}"' for name in unknown)
        text += f"warn: some health checks cannot be excluded: no matches for {quoted}\n"
    if failed:
        return 500, f"{text}{kind} check failed\n"
    return 200, f"{text}{kind} check passed\n" if verbose else "ok"
