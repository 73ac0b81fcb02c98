"""PodSecurity: a namespace's labels say how dangerous its pods may be.

``pod-security.kubernetes.io/enforce: privileged | baseline | restricted`` refuses pods that ask for more than that level
allows. Each check answers with the real server's words, all of them together.

Simplified here: the checks of the latest policy version whatever the version label says; Windows pods are treated like
others; the labels ``warn`` and ``audit`` are not evaluated.

Upstream: k8s.io/pod-security-admission/{admission,policy} (v1.32).
"""

from collections.abc import Callable, Iterator
from typing import Any

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context

NAME = "PodSecurity"
MUTATES, VALIDATES = False, True
RESOURCES = ("pods",)
_PREFIX = "pod-security.kubernetes.io/"
Doc = dict[str, Any]
Finding = tuple[str, str]
"""(what is forbidden, the detail)"""

_BASELINE_CAPABILITIES = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
))  # fmt: skip
_SYSCTLS = frozenset((
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
))  # fmt: skip
_RESTRICTED_VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
)


def handles(attributes: Attributes) -> bool:
    """New pods, and pods whose spec changes."""
    if attributes.concerns("pods", "UPDATE"):
        return attributes.doc["spec"] != attributes.old["spec"]
    return attributes.concerns("pods", "CREATE") or attributes.concerns(
        "pods", "UPDATE", subresource="ephemeralcontainers"
    )


def validate(attributes: Attributes, ctx: Context) -> str:
    """The namespace's enforced level allows the pod."""
    namespace = ctx.view.get("namespaces", "", attributes.namespace)
    labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    level = labels.get(f"{_PREFIX}enforce", "privileged")
    if level not in ("baseline", "restricted"):
        return "The namespace lets pods be privileged"
    version = labels.get(f"{_PREFIX}enforce-version", "latest")
    found = [finding for check in CHECKS[level] if (finding := check(attributes.doc)) is not None]
    if found:
        details = ", ".join(f"{what} ({detail})" if detail else what for what, detail in found)
        raise status.forbidden(
            "pods", attributes.doc["metadata"].get("name", ""), f'violates PodSecurity "{level}:{version}": {details}'
        )
    return f'Within PodSecurity "{level}:{version}"'


# -- helpers ------------------------------------------------------------------------------------------------------


def _containers(pod: Doc) -> Iterator[Doc]:
    spec = pod["spec"]
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(kind) or ()


def _context(container: Doc) -> Doc:
    return container.get("securityContext") or {}


def _pod_context(pod: Doc) -> Doc:
    return pod["spec"].get("securityContext") or {}


def _named(containers: list[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in containers)
    return f"container {quoted}" if len(containers) == 1 else f"containers {quoted}"


def _bad(pod: Doc, test: Callable[[Doc], bool]) -> list[str]:
    return [container["name"] for container in _containers(pod) if test(_context(container))]


# -- baseline -----------------------------------------------------------------------------------------------------


def host_namespaces(pod: Doc) -> Finding | None:
    used = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if pod["spec"].get(name)]
    return ("host namespaces", ", ".join(used)) if used else None


def privileged(pod: Doc) -> Finding | None:
    bad = _bad(pod, lambda context: bool(context.get("privileged")))
    return ("privileged", f"{_named(bad)} must not set securityContext.privileged=true") if bad else None


def capabilities_baseline(pod: Doc) -> Finding | None:
    bad, added = [], set()
    for container in _containers(pod):
        extra = set((_context(container).get("capabilities") or {}).get("add") or ()) - _BASELINE_CAPABILITIES
        if extra:
            bad.append(container["name"])
            added |= extra
    if not bad:
        return None
    listed = ", ".join(f'"{name}"' for name in sorted(added))
    return "non-default capabilities", f"{_named(bad)} must not include {listed} in securityContext.capabilities.add"


def host_path(pod: Doc) -> Finding | None:
    bad = [volume["name"] for volume in pod["spec"].get("volumes") or () if "hostPath" in volume]
    if not bad:
        return None
    quoted = ", ".join(f'"{name}"' for name in bad)
    return "hostPath volumes", f"volume {quoted}" if len(bad) == 1 else f"volumes {quoted}"


def host_ports(pod: Doc) -> Finding | None:
    bad, ports = [], []
    for container in _containers(pod):
        used = [port["hostPort"] for port in container.get("ports") or () if port.get("hostPort")]
        if used:
            bad.append(container["name"])
            ports += used
    if not bad:
        return None
    listed = ", ".join(str(port) for port in sorted(set(ports)))
    return (
        "hostPort",
        f"{_named(bad)} {'uses' if len(bad) == 1 else 'use'} hostPort{'s' if len(set(ports)) > 1 else ''} {listed}",
    )


def proc_mount(pod: Doc) -> Finding | None:
    bad = _bad(pod, lambda context: context.get("procMount") not in (None, "Default"))
    return ("procMount", f"{_named(bad)} must not set securityContext.procMount") if bad else None


def seccomp_baseline(pod: Doc) -> Finding | None:
    bad = _bad(pod, lambda context: (context.get("seccompProfile") or {}).get("type") == "Unconfined")
    whole = (_pod_context(pod).get("seccompProfile") or {}).get("type") == "Unconfined"
    if not bad and not whole:
        return None
    who = ["pod"] if whole else []
    who += [_named(bad)] if bad else []
    return "seccompProfile", f'{" and ".join(who)} must not set securityContext.seccompProfile.type to "Unconfined"'


def sysctls(pod: Doc) -> Finding | None:
    bad = [s["name"] for s in _pod_context(pod).get("sysctls") or () if s["name"] not in _SYSCTLS]
    return ("forbidden sysctls", ", ".join(bad)) if bad else None


# -- restricted ---------------------------------------------------------------------------------------------------


def privilege_escalation(pod: Doc) -> Finding | None:
    bad = _bad(pod, lambda context: context.get("allowPrivilegeEscalation") is not False)
    text = f"{_named(bad)} must set securityContext.allowPrivilegeEscalation=false"
    return ("allowPrivilegeEscalation != false", text) if bad else None


def capabilities_restricted(pod: Doc) -> Finding | None:
    undropped, adding = [], []
    for container in _containers(pod):
        capabilities = _context(container).get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()):
            undropped.append(container["name"])
        if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
            adding.append(container["name"])
    parts = []
    if undropped:
        parts.append(f'{_named(undropped)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        parts.append(
            f'{_named(adding)} must not include other than "NET_BIND_SERVICE" in securityContext.capabilities.add'
        )
    return ("unrestricted capabilities", "; ".join(parts)) if parts else None


def volume_types(pod: Doc) -> Finding | None:
    bad = [v["name"] for v in pod["spec"].get("volumes") or () if not any(kind in v for kind in _RESTRICTED_VOLUMES)]
    if not bad:
        return None
    kinds = sorted({key for v in pod["spec"]["volumes"] if v["name"] in bad for key in v if key != "name"})
    quoted = ", ".join(f'"{name}"' for name in bad)
    noun, verb = ("volume", "uses") if len(bad) == 1 else ("volumes", "use")
    listed = ", ".join(f'"{kind}"' for kind in kinds)
    return (
        "restricted volume types",
        f"{noun} {quoted} {verb} restricted volume type{'s' if len(kinds) > 1 else ''} {listed}",
    )


def non_root(pod: Doc) -> Finding | None:
    whole = _pod_context(pod).get("runAsNonRoot")
    explicit = _bad(pod, lambda context: context.get("runAsNonRoot") is False)
    if explicit:
        return "runAsNonRoot != true", f"{_named(explicit)} must not set securityContext.runAsNonRoot=false"
    unset = _bad(pod, lambda context: context.get("runAsNonRoot") is None)
    if whole or not unset:
        return None
    return "runAsNonRoot != true", f"pod or {_named(unset)} must set securityContext.runAsNonRoot=true"


def root_user(pod: Doc) -> Finding | None:
    bad = _bad(pod, lambda context: context.get("runAsUser") == 0)
    whole = _pod_context(pod).get("runAsUser") == 0
    if not bad and not whole:
        return None
    who = (["pod"] if whole else []) + ([_named(bad)] if bad else [])
    return "runAsUser=0", f"{' and '.join(who)} must not set runAsUser=0"


def seccomp_restricted(pod: Doc) -> Finding | None:
    allowed = ("RuntimeDefault", "Localhost")
    whole = (_pod_context(pod).get("seccompProfile") or {}).get("type")
    wrong = _bad(pod, lambda c: (c.get("seccompProfile") or {}).get("type") not in (None, *allowed))
    if wrong:
        return "seccompProfile", f'{_named(wrong)} must not set securityContext.seccompProfile.type to "Unconfined"'
    if whole in allowed:
        return None
    unset = _bad(pod, lambda c: not c.get("seccompProfile"))
    if not unset:
        return None
    return (
        "seccompProfile",
        f'pod or {_named(unset)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
    )


_BASELINE = (host_namespaces, privileged, capabilities_baseline, host_path, host_ports, proc_mount, sysctls)
CHECKS: dict[str, tuple[Callable[[Doc], Finding | None], ...]] = {
    "baseline": (*_BASELINE, seccomp_baseline),
    "restricted": (
        host_namespaces, privileged, host_path, host_ports, proc_mount, sysctls, privilege_escalation,
        capabilities_restricted, volume_types, non_root, root_user, seccomp_restricted,
    ),
}  # fmt: skip
