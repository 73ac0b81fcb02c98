"""The life of kube-proxy's process: it is a container of a Pod, reads its ConfigMap once, and says on standard error what it does.

In: ``ProcessBegin`` from the node's kubelet, with ``config.conf`` as the ConfigMap had it when the Pod was made → out: the mode it will run in, or
the words with which it ends. Changing the ConfigMap changes nothing for a process that runs: its Pod has to be deleted.

Lines are those of kube-proxy 1.32 in klog's form. Since 1.25 a kube-proxy that cannot use IPVS doesn't fall back to iptables: it
ends with status 1, and its container is restarted with back-off (``CrashLoopBackOff``). (Before, it said ``Can't use the IPVS
proxier`` and ran in iptables mode.)

Simplified here: no flags but ``--config``; the source line numbers are those of one patch release; why a value is refused is said in
words of our own.

Upstream: cmd/kube-proxy/app/{server,server_linux,options}.go, staging/src/k8s.io/component-base/cli/run.go.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import yaml

from cluster.kubeproxy.health import bind_addresses
from cluster.kubeproxy.modes import mode_named
from cluster.kubeproxy.options import NotSupported, from_configuration, go_seconds
from cluster.sim import SECOND

UPSTREAM_MODES = ("", "iptables", "ipvs", "nftables")


class CannotStart(Exception):
    """The process ends with status 1; the arguments are its last lines as (severity, source, text)."""


def klog(line: tuple[str, str, str], epoch: int, now: int) -> str:
    """``I1125 09:00:00.000123       1 server_linux.go:66] "Using iptables proxy"``."""
    severity, source, text = line
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch + now // SECOND)
    return f"{severity}{moment:%m%d %H:%M:%S}.{now % SECOND // 1000:06d}       1 {source}] {text}"


def configuration(files: dict[str, str]) -> dict[str, Any]:
    """The ``KubeProxyConfiguration`` of ``config.conf``. CannotStart: it is none, or asks for what there isn't."""
    try:
        document = yaml.safe_load(files.get("config.conf") or "")
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _failed("failed complete: " + str(error).split("\n")[0]) from None
    if not isinstance(document, dict):
        raise _failed("failed complete: open /var/lib/kube-proxy/config.conf: no such file or directory")
    if document.get("kind") != "KubeProxyConfiguration":
        kind = document.get("kind")
        raise _failed(f'failed complete: no kind "{kind}" is registered for version "{document.get("apiVersion")}"')
    _well_formed(document)
    mode = document.get("mode") or ""
    try:
        mode_named(mode)
    except NotSupported as error:
        if mode == "userspace" or mode not in UPSTREAM_MODES:
            words = (
                "must be iptables, ipvs, nftables or blank (blank means the best-available proxy [currently iptables])"
            )
            raise _failed(
                f'failed validate: KubeProxyConfiguration.ProxyMode: Invalid value: \\"{mode}\\": {words}'
            ) from None
        raise _failed(str(error)) from None
    _valid(document)
    return document


FIELDS: dict[str, tuple[type, ...]] = {
    "mode": (str,), "clusterCIDR": (str,), "detectLocalMode": (str,), "detectLocal": (dict,), "iptables": (dict,), "ipvs": (dict,),
    "nodePortAddresses": (list,), "iptables.masqueradeBit": (int,), "iptables.masqueradeAll": (bool,),
    "iptables.localhostNodePorts": (bool,), "ipvs.scheduler": (str,), "ipvs.excludeCIDRs": (list,),
    "ipvs.strictARP": (bool,), "ipvs.tcpTimeout": (str,), "ipvs.tcpFinTimeout": (str,), "ipvs.udpTimeout": (str,),
    "detectLocal.bridgeInterface": (str,),
    "detectLocal.interfaceNamePrefix": (str,), "healthzBindAddress": (str,), "metricsBindAddress": (str,),
}  # fmt: skip
"""What is read of a configuration, and of which type it must be."""
GO_NAMES = {str: "string", int: "number", bool: "bool", dict: "object", list: "array", float: "number"}


def _well_formed(document: dict[str, Any]) -> None:
    """CannotStart: a field has a value of another type."""
    for name, kinds in FIELDS.items():
        value: Any = document
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None and type(value) not in kinds:
            given, wanted = GO_NAMES.get(type(value), "object"), GO_NAMES[kinds[0]]
            words = (
                f"json: cannot unmarshal {given} into Go struct field KubeProxyConfiguration.{name} of type {wanted}"
            )
            raise _failed(f"failed complete: {words}")
    lists = {"nodePortAddresses": document, "ipvs.excludeCIDRs": document.get("ipvs") or {}}
    for name, holder in lists.items():
        if any(type(one) is not str for one in holder.get(name.rpartition(".")[2]) or ()):
            words = f"json: cannot unmarshal into Go struct field KubeProxyConfiguration.{name} of type string"
            raise _failed(f"failed complete: {words}")
    for name in ("tcpTimeout", "tcpFinTimeout", "udpTimeout"):
        try:
            go_seconds((document.get("ipvs") or {}).get(name) or "0s")
        except ValueError as error:
            raise _failed(f"failed complete: {error}".replace('"', '\\"')) from None


def _valid(document: dict[str, Any]) -> None:
    """CannotStart: a value that no kube-proxy could work with. What is made from it is made once, here, where it can be refused."""
    bit = (document.get("iptables") or {}).get("masqueradeBit")
    if bit is not None and not 0 <= bit <= 31:
        words = f"KubeProxyConfiguration.IPTables.MasqueradeBit: Invalid value: {bit}: must be within the range [0, 31]"
        raise _failed(f"failed validate: {words}")
    try:
        bind_addresses(document)
    except ValueError as error:
        field, value, words = error.args
        raise _failed(
            f'failed validate: KubeProxyConfiguration.{field}: Invalid value: \\"{value}\\": {words}'
        ) from None
    for at, cidr in enumerate((document.get("ipvs") or {}).get("excludeCIDRs") or ()):
        try:
            ip_network(cidr, strict=False)
        except ValueError:
            field = f"KubeProxyConfiguration.KubeProxyIPVSConfiguration.ExcludeCIDRs[{at}]"
            raise _failed(
                f'failed validate: {field}: Invalid value: \\"{cidr}\\": must be a valid CIDR block'
            ) from None
    for name in ("tcpTimeout", "tcpFinTimeout", "udpTimeout"):
        if go_seconds((document.get("ipvs") or {}).get(name) or "0s") < 0:
            field = f"KubeProxyConfiguration.KubeProxyIPVSConfiguration.{name[0].upper()}{name[1:]}"
            raise _failed(
                f"failed validate: {field}: Invalid value: {document['ipvs'][name]}: must be greater than or equal to 0"
            )
    try:
        options = from_configuration(document, None)
        options.nodeport_match()
        for cidr in (options.cluster_cidr,) if options.if_local()[:1] == ("-s",) else ():
            ip_network(cidr, strict=False)
    except ValueError as error:
        raise _failed(f"failed validate: {error}") from None


def _failed(words: str) -> CannotStart:
    return CannotStart([("E", "run.go:74", f'"command failed" err="{words}"')])


def ipvs_missing(scheduler: str) -> CannotStart:
    """The kernel has no IPVS (``ip_vs`` cannot be loaded). ``scheduler`` as configured."""
    words = "can't use the IPVS proxier: no such file or directory"
    return CannotStart(
        [
            (
                "E",
                "proxier.go:634",
                f'"Could not create dummy VS" err="no such file or directory" scheduler="{scheduler}"',
            ),
            ("E", "server.go:558", f'"Error running ProxyServer" err="{words}"'),
            ("E", "run.go:74", f'"command failed" err="{words}"'),
        ]
    )


def first_lines(mode: str, node_ip: str) -> list[tuple[str, str, str]]:
    """What a kube-proxy says before it knows whether it can run in ``mode`` ("" : not given)."""
    lines = [] if mode else [("I", "server_linux.go:66", '"Using iptables proxy"')]
    lines.append(("I", "server.go:698", f'"Successfully retrieved node IP(s)" IPs=["{node_ip}"]'))
    lines.append(("I", "conntrack.go:60", '"Setting nf_conntrack_max" nfConntrackMax=131072'))
    if mode != "nftables":
        lines.append(
            (
                "E",
                "server.go:234",
                '"Kube-proxy configuration may be incomplete or incorrect" err="nodePortAddresses is unset; NodePort connections '
                'will be accepted on all local IPs. Consider using `--nodeport-addresses primary`"',
            )
        )
    lines.append(("I", "server.go:243", '"kube-proxy running in dual-stack mode" primary ipFamily="IPv4"'))
    return lines


def running_lines(mode: str, version: str, scheduler: str = "") -> list[tuple[str, str, str]]:
    """What it says once it runs."""
    mode = mode or "iptables"
    lines = [("I", "server_linux.go:170", f'"Using {mode} Proxier"')]
    if mode == "iptables":
        lines.append(
            (
                "I",
                "proxier.go:255",
                '"Setting route_localnet=1 to allow node-ports on localhost; to change this either disable '
                "iptables.localhostNodePorts (--iptables-localhost-nodeports) or set nodePortAddresses "
                '(--nodeport-addresses) to filter loopback addresses" ipFamily="IPv4"',
            )
        )
    if mode == "ipvs" and not scheduler:
        lines.append(("I", "proxier.go:364", '"IPVS scheduler not specified, use rr by default" ipFamily="IPv4"'))
    lines.append(("I", "server.go:497", f'"Version info" version="{version}"'))
    lines.append(("I", "server.go:499", '"Golang settings" GOGC="" GOMAXPROCS="" GOTRACEBACK=""'))
    for source, name in (("config.go:199", "service"), ("config.go:105", "endpoint slice"), ("config.go:329", "node")):
        lines.append(("I", source, f'"Starting {name} config controller"'))
        lines.append(("I", "shared_informer.go:313", f'"Waiting for caches to sync" controller="{name} config"'))
    return lines
