"""``kubeadm upgrade plan | apply VERSION | node`` and ``kubeadm version``, typed on a control-plane host (``ssh cp-1``).

The rolling upgrade as an operator does it: ``apply`` on the first host, ``node`` on each other one. On its host kubeadm writes the manifests of the static
pods anew, one after the other, and each time waits until the kubelet has restarted the component; it decides nothing that isn't in the cluster: versions are
read from the ``kubeadm-config`` ConfigMap, the Nodes and the mirror pods. The add-ons follow when the last control-plane host is done.

In → words; out → what the real one prints. Refused with its own texts: a version more than one minor later, one newer than kubeadm, a downgrade over a minor;
an etcd older than the one that runs is left alone with kubeadm's remark (``etcd.local.imageTag`` in the ConfigMap wishes for another).

Simplified here: no question "Are you sure" (``-y`` is taken for given) and no dry run; images are there at once; a worker's ``upgrade node`` says what
it would write. Manifests' flags stay as they are.

Upstream: cmd/kubeadm/app/cmd/upgrade, cmd/kubeadm/app/phases/upgrade (v1.33).
"""

import re
from collections.abc import Generator
from typing import Any

import orjson

from cluster.api.releases import NEWEST, RELEASES, Release, parsed
from cluster.shell.effects import Answer, Effect, Etcd, Http, Image, Sleep
from cluster.shell.interpreter import Context, Run
from cluster.shell.tabwriter import align
from cluster.sim import SECOND
from cluster.wire import etcd

NAMES = ("kubeadm",)
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
RENEWED = {
    "etcd": ("etcd-server", "etcd-peer", "etcd-healthcheck-client"),
    "kube-apiserver": ("apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client"),
    "kube-controller-manager": ("controller-manager.conf",),
    "kube-scheduler": ("scheduler.conf",),
}
POLL = SECOND // 2
TIMEOUT = 300 * SECOND
AGENT = f"kubeadm/{NEWEST} (linux/amd64) kubernetes/{RELEASES[NEWEST].commit[:7]}"
SYSTEM = "/api/v1/namespaces/kube-system"
Steps = Generator[Effect, Answer, Any]


class Failed(Exception):
    """kubeadm ends with ``error: …``."""


def run(ctx: Context) -> Run | int:
    host = ctx.session.host
    if not host:
        ctx.err("bash: kubeadm: command not found (ssh to a control-plane host first: ssh cp-1)\n")
        return 127
    return on(ctx, host, ctx.args)


def on(ctx: Context, host: str, args: list[str]) -> Run:
    """Run kubeadm on ``host``."""
    words = [word for word in args if not word.startswith("-")]
    try:
        if words[:1] == ["version"]:
            ctx.out(
                f"{NEWEST}\n"
                if "short" in " ".join(args)
                else f'kubeadm version: &version.Info{{Major:"1", Minor:"{RELEASES[NEWEST].minor}", GitVersion:"{NEWEST}", GitCommit:"{RELEASES[NEWEST].commit}"}}\n'
            )
        elif words[:2] == ["upgrade", "plan"]:
            yield from _plan(ctx, host)
        elif words[:2] == ["upgrade", "apply"]:
            yield from _apply(ctx, host, words[2] if words[2:] else "")
        elif words[:2] == ["upgrade", "node"]:
            yield from _node(ctx, host)
        else:
            raise Failed(
                f'unknown command "{" ".join(words)[:60]}" for "kubeadm": version and upgrade plan|apply|node are simulated'
            )
    except Failed as why:
        ctx.err(f"error: {why}\nTo see the stack trace of this error execute with --v=5 or higher\n")
        return 1
    return 0


# -- the cluster ------------------------------------------------------------------------------------------------------


def _call(
    ctx: Context, method: str, path: str, query: str = "", doc: Any = None, content: str = "application/json"
) -> Steps:
    """A request with admin.conf; three tries, as the API may be away for a moment."""
    headers = (
        ("accept", "application/json"),
        ("user-agent", AGENT),
        *((("content-type", content),) if doc is not None else ()),
    )
    answer = Answer(0)
    for _ in range(60):
        answer = yield Http(method, path, query, headers, doc, b"", ctx.config.admin)
        if answer.code in (200, 201, 404):
            return None if answer.code == 404 else answer.doc if answer.doc is not None else orjson.loads(answer.body)
        yield Sleep(POLL)
    raise Failed(f"{method} {path}: {answer.error or f'the server answered {answer.code}'}")


def _configuration(ctx: Context) -> Steps:
    """The ``kubeadm-config`` ConfigMap."""
    found = yield from _call(ctx, "GET", f"{SYSTEM}/configmaps/kubeadm-config")
    if found is None:
        raise Failed('couldn\'t create a Kubernetes client from file: configmaps "kubeadm-config" not found')
    return found


def _version_in(configuration: dict[str, Any]) -> str:
    found = re.search(r"(?m)^kubernetesVersion: (\S+)$", configuration["data"]["ClusterConfiguration"])
    return found[1] if found else ""


def _pods(ctx: Context, component: str) -> Steps:
    query = f"labelSelector=component%3D{component}"
    return ((yield from _call(ctx, "GET", f"{SYSTEM}/pods", query)) or {"items": []})["items"]


def _tag(pod: dict[str, Any]) -> str:
    return pod["spec"]["containers"][0]["image"].rpartition(":")[2]


def _control_planes(ctx: Context) -> Steps:
    """Node → the tag of its apiserver."""
    pods = yield from _pods(ctx, "kube-apiserver")
    return {pod["spec"]["nodeName"]: _tag(pod) for pod in pods}


def _begin(ctx: Context) -> Steps:
    """The words with which all three begin; the configuration."""
    ctx.out("[preflight] Running pre-flight checks.\n")
    configuration = yield from _configuration(ctx)
    ctx.out(
        '[upgrade/config] Reading configuration from the "kubeadm-config" ConfigMap in namespace "kube-system"...\n'
        "[upgrade/config] Use 'kubeadm init phase upload-config --config your-config-file' to re-upload it.\n"
    )
    return configuration


# -- plan -------------------------------------------------------------------------------------------------------------


def _plan(ctx: Context, host: str) -> Steps:
    configuration = yield from _begin(ctx)
    current, target = _version_in(configuration), RELEASES[NEWEST]
    ctx.out(
        "[upgrade] Running cluster health checks\n[upgrade] Fetching available versions to upgrade to\n"
        f"[upgrade/versions] Cluster version: {current.removeprefix('v')}\n[upgrade/versions] kubeadm version: {NEWEST}\n"
        f"[upgrade/versions] Target version: {NEWEST}\n\n"
    )
    if parsed(current) == parsed(NEWEST):
        ctx.out("Awesome, you're up-to-date! Enjoy!\n")
        return
    nodes = (yield from _call(ctx, "GET", "/api/v1/nodes"))["items"]
    ctx.out(
        "Components that must be upgraded manually after you have upgraded the control plane with 'kubeadm upgrade apply':\n"
    )
    rows = [("COMPONENT", "NODE", "CURRENT", "TARGET")]
    rows += [
        ("kubelet", node["metadata"]["name"], node["status"]["nodeInfo"]["kubeletVersion"], NEWEST) for node in nodes
    ]
    ctx.out(_table(rows) + "\nUpgrade to the latest stable version:\n\n")
    rows = [("COMPONENT", "NODE", "CURRENT", "TARGET")]
    for component in COMPONENTS:
        rows += [(component, pod["spec"]["nodeName"], _tag(pod), NEWEST) for pod in (yield from _pods(ctx, component))]
    rows += [
        ("kube-proxy", "", current.removeprefix("v"), NEWEST),
        ("CoreDNS", "", RELEASES[current].coredns if current in RELEASES else "", target.coredns),
    ]
    wish = _etcd_wish(configuration, target)
    rows += [("etcd", pod["spec"]["nodeName"], _tag(pod), wish) for pod in (yield from _pods(ctx, "etcd"))]
    ctx.out(
        f"{_table(rows)}\nYou can now apply the upgrade by executing the following command:\n\n\tkubeadm upgrade apply {NEWEST}\n\n"
        "_____________________________________________________________________\n\n"
    )


def _table(rows: list[tuple[str, ...]]) -> str:
    return align("".join("\t".join(row) + "\n" for row in rows), minimum=0, padding=3)


# -- apply and node ---------------------------------------------------------------------------------------------------


def refusal(current: str, wished: str) -> str:
    """Why the cluster can't go from one version to the other; "" when it can. The version policy, in kubeadm's words."""
    now, then, mine = parsed(current), parsed(wished), parsed(NEWEST)
    if then is None:
        return f'couldn\'t parse Kubernetes version "{wished}"'
    assert now is not None and mine is not None
    said, fatal, minor = f'Specified version to upgrade to "{wished}"', [], []
    if then[1] > now[1] + 1:
        fatal.append(f"{said} is too high; kubeadm can upgrade only 1 minor version at a time")
    if then[1] < now[1] - 1 or (then[1] < mine[1] and then[1] < now[1]):
        fatal.append(f"{said} is too low; kubeadm can downgrade only 1 minor version at a time")
    if then[1] > mine[1]:
        fatal.append(
            f"{said} is at least one minor release higher than the kubeadm minor release ({then[1]} > {mine[1]}). Such an upgrade is not supported"
        )
    elif then > mine:
        minor.append(
            f'{said} is higher than the kubeadm version "{NEWEST}". Upgrade kubeadm first using the tool you used to install kubeadm'
        )
    if fatal:
        return (
            "the version argument is invalid due to these fatal errors:\n\n"
            + "".join(f"\t- {one}\n" for one in fatal + minor)
            + "\nPlease fix the misalignments highlighted above and try upgrading again"
        )
    if minor:
        return (
            "the version argument is invalid due to these errors:\n\n"
            + "".join(f"\t- {one}\n" for one in minor)
            + "\nCan be bypassed if you pass the --force flag"
        )
    if wished not in RELEASES:
        return f"{wished} is not among the releases that are simulated here ({', '.join(RELEASES)})"
    return ""


def _apply(ctx: Context, host: str, wished: str) -> Steps:
    if not wished:
        raise Failed("accepts 1 arg(s), received 0")
    wished = wished if wished.startswith("v") else f"v{wished}"
    configuration = yield from _begin(ctx)
    if not host.startswith("cp-"):
        raise Failed(
            f'this is not a control-plane host: {host} has no /etc/kubernetes/manifests; "kubeadm upgrade node" is for workers'
        )
    current = _version_in(configuration)
    ctx.out(
        f'[upgrade] Running cluster health checks\n[upgrade/preflight] You have chosen to upgrade the cluster version to "{wished}"\n'
        f"[upgrade/versions] Cluster version: {current}\n[upgrade/versions] kubeadm version: {NEWEST}\n"
    )
    why = refusal(current, wished)
    if why:
        raise Failed(f"error execution phase preflight: {why}")
    yield from _healthy(ctx)
    ctx.out(
        "[upgrade/preflight] Pulling images required for setting up a Kubernetes cluster\n"
        "[upgrade/preflight] This might take a minute or two, depending on the speed of your internet connection\n"
        "[upgrade/preflight] You can also perform this action beforehand using 'kubeadm config images pull'\n"
        f'[upgrade/control-plane] Upgrading your static Pod-hosted control plane to version "{wished}" (timeout: 5m0s)...\n'
    )
    yield from _static_pods(ctx, host, configuration, RELEASES[wished])
    ctx.out("[upgrade/control-plane] The control plane instance for this node was successfully upgraded!\n")
    text = configuration["data"]["ClusterConfiguration"]
    data = {"ClusterConfiguration": re.sub(r"(?m)^kubernetesVersion: .*$", f"kubernetesVersion: {wished}", text)}
    yield from _merge(ctx, f"{SYSTEM}/configmaps/kubeadm-config", {"data": data})
    ctx.out(
        '[upload-config] Storing the configuration used in ConfigMap "kubeadm-config" in the "kube-system" Namespace\n'
    )
    ctx.out(
        '[kubelet] Creating a ConfigMap "kubelet-config" in namespace kube-system with the configuration for the kubelets in the cluster\n'
        "[upgrade/kubelet-config] The kubelet configuration for this node was successfully upgraded!\n"
    )
    yield from _addons(ctx, wished)
    ctx.out(
        f'\n[upgrade] SUCCESS! A control plane node of your cluster was upgraded to "{wished}".\n\n'
        "[upgrade] Now please proceed with upgrading the rest of the nodes by following the right order.\n"
    )


def _node(ctx: Context, host: str) -> Steps:
    configuration = yield from _begin(ctx)
    version = _version_in(configuration)
    if not host.startswith("cp-"):
        ctx.out(
            "[upgrade/preflight] Skipping prepull. Not a control plane node.\n[upgrade/control-plane] Skipping phase. Not a control plane node.\n"
        )
    else:
        if version not in RELEASES:
            raise Failed(refusal(version, version))
        ctx.out(
            "[upgrade/preflight] Pulling images required for setting up a Kubernetes cluster\n"
            f'[upgrade/control-plane] Upgrading your Static Pod-hosted control plane instance to version "{version}"...\n'
        )
        yield from _static_pods(ctx, host, configuration, RELEASES[version])
        ctx.out("[upgrade/control-plane] The control plane instance for this node was successfully upgraded!\n")
        yield from _addons(ctx, version)
    ctx.out(
        "[upgrade/kubelet-config] The kubelet configuration for this node was successfully upgraded!\n"
        "[upgrade] The configuration for this node was successfully upgraded!\n"
        "[upgrade] Now you should go ahead and upgrade the kubelet package using your package manager.\n"
    )


def _healthy(ctx: Context) -> Steps:
    """The check ControlPlaneNodesReady: no upgrade while a control-plane host is away, or the quorum might go."""
    nodes = (yield from _call(ctx, "GET", "/api/v1/nodes", "labelSelector=node-role.kubernetes.io%2Fcontrol-plane"))[
        "items"
    ]
    away = [
        node["metadata"]["name"]
        for node in nodes
        if not any(row["type"] == "Ready" and row["status"] == "True" for row in node["status"].get("conditions") or ())
    ]
    if away:
        raise Failed(
            "error execution phase preflight: [preflight] Some fatal errors occurred:\n\t[ERROR ControlPlaneNodesReady]: "
            f"there are NotReady control-planes in the cluster: [{' '.join(away)}]\n"
            "[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`"
        )


def _etcd_wish(configuration: dict[str, Any], release: Release) -> str:
    found = re.search(r"(?m)^\s+imageTag: \"?([\w.-]+)\"?$", configuration["data"]["ClusterConfiguration"])
    return found[1] if found else release.etcd


def _static_pods(ctx: Context, host: str, configuration: dict[str, Any], release: Release) -> Steps:
    """One component after the other, etcd first."""
    own = [pod for pod in (yield from _pods(ctx, "etcd")) if pod["spec"]["nodeName"] == host]
    ctx.out(
        '[upgrade/staticpods] Writing new Static Pod manifests to "/etc/kubernetes/tmp/kubeadm-upgraded-manifests"\n'
    )
    if own:
        yield from _etcd(ctx, host, _tag(own[0]), _etcd_wish(configuration, release), release)
    for component in COMPONENTS:
        yield from _component(ctx, host, component, f"registry.k8s.io/{component}:{release.version}")


def _etcd(ctx: Context, host: str, runs: str, wish: str, release: Release) -> Steps:
    now, then = (parsed(tag.partition("-")[0]) for tag in (runs, wish))
    if now is None or then is None or then < now:
        ctx.out(
            f'[upgrade/etcd] Non fatal issue encountered during upgrade: the desired etcd version for this Kubernetes version "{release.version}" is '
            f'"{wish}", but the current etcd version is "{runs.partition("-")[0]}". Won\'t downgrade etcd, instead just continue\n'
        )
        return
    yield from _component(ctx, host, "etcd", f"registry.k8s.io/etcd:{wish}")
    ctx.out("[upgrade/etcd] Waiting for etcd to become available\n")
    member = next(iter(ctx.config.members[int(host.removeprefix("cp-")) - 1 :]), "")
    for _ in range(TIMEOUT // POLL):
        answer = yield Etcd(member, etcd.StatusRequest(0))
        if isinstance(answer.value, etcd.StatusResponse) and answer.value.leader:
            return
        yield Sleep(POLL)
    raise Failed("fatal error when trying to upgrade the etcd cluster: timed out waiting for the condition")


def _component(ctx: Context, host: str, component: str, image: str) -> Steps:
    """Swap one static pod and wait until its stand-in in the API is the new one and runs."""
    ctx.out(f'[upgrade/staticpods] Preparing for "{component}" upgrade\n')
    before = yield from _call(ctx, "GET", f"{SYSTEM}/pods/{component}-{host}")
    if before is not None and before["spec"]["containers"][0]["image"] == image:
        ctx.out(f"[upgrade/staticpods] Current and new manifests of {component} are equal, skipping upgrade\n")
        return
    ctx.out("".join(f"[upgrade/staticpods] Renewing {name} certificate\n" for name in RENEWED[component]))
    answer = yield Image(host, component, image)
    if answer.value is None or answer.value.error:
        raise Failed(
            f"couldn't upgrade control plane: {answer.value.error if answer.value else f'ssh: {host} is gone'}"
        )
    ctx.out(
        f'[upgrade/staticpods] Moving new manifest to "/etc/kubernetes/manifests/{component}.yaml" and backing up old manifest to '
        f'"/etc/kubernetes/tmp/kubeadm-backup-manifests/{component}.yaml"\n'
        "[upgrade/staticpods] Waiting for the kubelet to restart the component\n[upgrade/staticpods] This can take up to 5m0s\n"
    )
    began = ctx.now
    while True:
        pods = yield from _pods(ctx, component)
        mine = next((pod for pod in pods if pod["spec"]["nodeName"] == host), None)
        if (
            mine is not None
            and mine["spec"]["containers"][0]["image"] == image
            and (mine.get("status") or {}).get("phase") == "Running"
        ):
            break
        if ctx.now - began > TIMEOUT:
            raise Failed(
                f"couldn't upgrade control plane. kubeadm has tried to recover everything into the earlier state. Errors faced: static Pod hash for component {component} on Node {host} did not change after 5m0s: timed out waiting for the condition"
            )
        yield Sleep(POLL)
    ctx.out(
        f'[apiclient] Found {len(pods)} Pods for label selector component={component}\n[upgrade/staticpods] Component "{component}" upgraded successfully!\n'
    )


def _merge(ctx: Context, path: str, doc: dict[str, Any]) -> Steps:
    return (yield from _call(ctx, "PATCH", path, "fieldManager=kubeadm", doc, "application/strategic-merge-patch+json"))


def _addons(ctx: Context, version: str) -> Steps:
    """kube-proxy and CoreDNS, when no control-plane host is left behind."""
    behind = sorted(name for name, tag in (yield from _control_planes(ctx)).items() if tag != version)
    if behind:
        ctx.out(
            f"[upgrade/addon] Skipping upgrade of addons because control plane instances [{' '.join(behind)}] have not been upgraded\n"
        )
        return
    for kind, name, image in (
        ("deployments", "coredns", f"registry.k8s.io/coredns/coredns:{RELEASES[version].coredns}"),
        ("daemonsets", "kube-proxy", f"registry.k8s.io/kube-proxy:{version}"),
    ):
        pod = {"spec": {"containers": [{"name": name, "image": image}]}}
        done = yield from _merge(
            ctx, f"/apis/apps/v1/namespaces/kube-system/{kind}/{name}", {"spec": {"template": pod}}
        )
        if done is not None:
            ctx.out(f"[addons] Applied essential addon: {'CoreDNS' if name == 'coredns' else name}\n")
