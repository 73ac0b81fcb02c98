"""/healthz, /livez, /readyz: is the server well? One line a check, ``[+]name ok`` or ``[-]name failed``.

In → the path and its query; out → code and text. Checks are real: etcd answered lately, the caches are filled, every
post-start hook is done.

Upstream: apiserver/pkg/server/healthz/healthz.go (v1.32).
"""

from typing import Any
from urllib.parse import parse_qsl

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


def failure(server: Any, name: str) -> str:
    """ "" when the check passes, else why not."""
    state = server.state
    if name == "etcd":
        late = any(server.now - call.sent > 2_000_000_000 for call in state.calls.values())
        return "etcd client connection not yet established" if late or not state.ready else ""
    if name == "informer-sync":
        return "" if state.ready else "informers not started yet"
    if name.startswith("poststarthook/"):
        hook = name.removeprefix("poststarthook/")
        done = state.hooks.get("bootstrap", False) if hook in _BOOTSTRAP else state.ready
        return "" if done else "not finished"
    return ""


def answer(server: Any, path: str, query: str) -> tuple[int, str]:
    """``(code, text)`` for ``/readyz?verbose&exclude=etcd`` and its like; 404 for an unknown check."""
    parts = path.strip("/").split("/", 1)
    kind = parts[0]
    names = checks(kind)
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
