"""The composition root: a ``ClusterSpec`` becomes hosts, processes and the addresses they know each other by.

In → a spec (plain data, made outside: it carries the cluster's keys); out → a ``World`` in which every process has been
executed and nothing has happened yet. Layout as kubeadm makes it: each control-plane host runs a kubelet, an apiserver,
a controller-manager and a scheduler, in the stacked topology an etcd member too; a load balancer stands in front.

Simplified here: certificates and keys come ready-made with the spec; in-world clients prove their identity by saying
it (``TlsPeer``), as their certificate would; every controller acts as its own service account without a token. The agent of
the pod network (routes, NetworkPolicy) lives in the node's kernel process, without a Pod of its own.
"""

from base64 import b64encode
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from cluster.apiserver.server import ApiServer, ApiServerConfig
from cluster.balancer import Balancer, BalancerConfig
from cluster.controllers.manager import ControllerManager, ControllerManagerConfig
from cluster.dns.coredns import CoreDns, CoreDnsConfig
from cluster.etcd.machine import MANIFESTS, Machine, MachineConfig
from cluster.etcd.member import EtcdMember, MemberConfig, MemberSeed
from cluster.kubeadm import Kubeadm, KubeadmConfig
from cluster.kubelet.kubelet import Kubelet, KubeletConfig
from cluster.kubeproxy.proxy import KubeProxy, KubeProxyConfig
from cluster.node.kernel import Kernel
from cluster.node.state import KernelConfig
from cluster.scheduler.scheduler import Scheduler, SchedulerConfig
from cluster.shell.console import Console, ConsoleConfig, Login
from cluster.sim import MILLISECOND, World
from cluster.sim.dice import Dice
from cluster.wire.http import TlsPeer

ACTORS = (
    ApiServer, Balancer, Console, ControllerManager, CoreDns, EtcdMember, Kernel, Kubeadm, Kubelet, KubeProxy, Machine, Scheduler,
)  # fmt: skip
FACTORIES = {actor.kind: actor for actor in ACTORS}

KUBERNETES_VERSION = "1.32"
"""The version imitated."""
PATCH_RELEASE = {"1.32": "v1.32.13"}
ETCD_IMAGE = "registry.k8s.io/etcd:3.5.26-0"
SERVICE_CIDR = "10.96.0.0/12"
POD_CIDR = "10.244.0.0/16"
WIDE_POD_CIDR = "10.240.0.0/12"
"""A /24 per Node is enough for 256 Nodes in a /16; larger clusters are given more."""
BALANCER_ADDRESS = "172.18.0.10"


class Pki(Struct, frozen=True):
    """The cluster's keys and certificates, PEM. Made once, outside, and part of the spec from then on."""

    ca_cert: bytes
    ca_key: bytes
    server_cert: bytes
    server_key: bytes
    admin_cert: bytes
    admin_key: bytes
    sa_private: bytes
    sa_public: bytes


class ClusterSpec(Struct, frozen=True):
    """Everything a cluster is before anything happens. Field by field the control API's ``POST /api/clusters``."""

    name: str
    epoch: int
    """Unix seconds of instant 0."""
    pki: Pki
    seed: int = 1
    kubernetes_version: str = KUBERNETES_VERSION
    topology: Literal["stacked", "external"] = "stacked"
    control_planes: int = 3
    etcd_members: int = 3
    workers: int = 3
    proxy_mode: str = "iptables"
    pod_network: Literal["overlay", "routed"] = "overlay"
    """How pods' packets travel between nodes: in VXLAN, or as they are."""
    heartbeat_ms: int = 100
    election_ms: int = 1000
    pre_vote: bool = True
    check_quorum: bool = True
    link_ms: tuple[float, float] = (0.5, 1.5)
    fsync_ms: tuple[float, float] = (1.0, 2.0)
    quota_bytes: int = 2 << 30
    """etcd's ``--quota-backend-bytes``."""
    legacy_service_account_tokens: bool = True
    register_control_plane: bool = True
    qps_limits: bool = True
    """False lets kube-scheduler and kube-controller-manager ask as often as they like (``kwokctl --disable-qps-limits``)."""
    paused: bool = False
    bare: bool = False
    server_url: str = "https://127.0.0.1:6443"
    """What clients outside call the balancer; in kubeconfigs and ``cluster-info``."""


def control_plane_hosts(spec: ClusterSpec) -> list[str]:
    """``cp-1`` … ``cp-N``."""
    return [] if spec.bare else [f"cp-{n}" for n in range(1, spec.control_planes + 1)]


def worker_hosts(spec: ClusterSpec) -> list[str]:
    """``node-1`` … ``node-N``."""
    return [] if spec.bare else [f"node-{n}" for n in range(1, spec.workers + 1)]


def etcd_hosts(spec: ClusterSpec) -> list[str]:
    """The host of each member, in order. Stacked members beyond the control-plane hosts get hosts of their own."""
    stacked = control_plane_hosts(spec) if spec.topology == "stacked" else []
    own = [f"etcd-{n}" for n in range(1, max(spec.etcd_members - len(stacked), 0) + 1)]
    return (stacked + own)[: spec.etcd_members]


def pod_cidr(spec: ClusterSpec) -> str:
    """``--cluster-cidr``: the range that each Node gets a /24 of."""
    return POD_CIDR if spec.control_planes + spec.workers <= 256 else WIDE_POD_CIDR


def address(host: str) -> str:
    """The host's IP address on the machine network 172.18.0.0/16."""
    if host == "lb":
        return BALANCER_ADDRESS
    kind, _, number = host.rpartition("-")
    third, base = {"cp": (0, 1), "node": (0, 10), "etcd": (1, 0)}.get(kind, (2, 0))
    last = base + int(number)
    return f"172.18.{third + last // 250}.{last % 250}"


def build(spec: ClusterSpec) -> World:
    """A world in which every process of ``spec`` has just been executed."""
    low, high = (round(ms * MILLISECOND) for ms in spec.link_ms)
    world = World.new(spec.seed, low, high, FACTORIES)
    hosts = list(dict.fromkeys(control_plane_hosts(spec) + etcd_hosts(spec) + worker_hosts(spec)))
    for host in hosts:
        world.add_host(host)
    _add_etcd(world, spec)
    if not spec.bare:
        world.add_host("lb")
        world.add_host("desk")
        _add_control_plane(world, spec)
        _add_nodes(world, spec)
        _add_desk(world, spec)
    for host in dict.fromkeys(control_plane_hosts(spec) + etcd_hosts(spec)):
        add_machine(world, spec, host)
    for name, slot in list(world.state.slots.items()):
        if not getattr(slot.config, "supervisor", ""):  # (those are executed when their container starts)
            world.start(name)
    return world


def seeds(spec: ClusterSpec) -> tuple[MemberSeed, ...]:
    """The initial etcd cluster: ids drawn from the seed as etcd derives them from its cluster token."""
    dice = Dice.named(spec.seed, "etcd/ids")
    return tuple(
        MemberSeed(id=dice.bits() | 1, name=host if not spec.bare else f"m{n}", process=f"m{n}", host=host)
        for n, host in enumerate(etcd_hosts(spec), start=1)
    )


def member_config(
    spec: ClusterSpec, process: str, members: tuple[MemberSeed, ...], joining: bool = False
) -> MemberConfig:
    """The flags of one member."""
    me = next(seed for seed in members if seed.process == process)
    return MemberConfig(
        id=me.id,
        name=me.name,
        host=me.host,
        cluster_id=Dice.named(spec.seed, "etcd/cluster").bits() | 1,
        members=members,
        heartbeat_ns=spec.heartbeat_ms * MILLISECOND,
        election_ns=spec.election_ms * MILLISECOND,
        pre_vote=spec.pre_vote,
        check_quorum=spec.check_quorum,
        joining=joining,
        quota_bytes=spec.quota_bytes,
        bootstrap_log=not spec.bare,
        addresses=tuple((host, address(host)) for host in etcd_hosts(spec)),
    )


def _add_etcd(world: World, spec: ClusterSpec) -> None:
    members = seeds(spec)
    for member in members:
        world.add_process(member.process, "etcd", member.host, member_config(spec, member.process, members))
        world.add_disk(member.process, *(round(ms * MILLISECOND) for ms in spec.fsync_ms))


def address_of_member(host: str) -> str:
    """The address of a host a new member runs on; one with a name of its own gets its place behind the others."""
    kind, _, number = host.rpartition("-")
    return address(host) if kind in ("cp", "node", "etcd") and number.isdigit() else f"172.18.2.{_index(host)}"


def _index(host: str) -> int:
    digits = "".join(letter for letter in host if letter.isdigit())
    return int(digits or "0") % 250 + 1


def add_member(world: World, spec: ClusterSpec, process: str, host: str, member: int) -> None:
    """A place for a member that was just added to the cluster: its process, its disk, its host if it is new."""
    host = host or process
    if host not in world.state.hosts:
        world.add_host(host)
    known = [slot.config for slot in world.state.slots.values() if slot.kind == "etcd"]
    members = seeds(spec) if spec.bare else tuple(  # a bare cluster's log begins empty, with its first members
        MemberSeed(id=c.id, name=c.name, process=seed.process, host=c.host)
                    for c in known for seed in c.members if seed.id == c.id)  # fmt: skip
    me = MemberSeed(id=member, name=process if spec.bare else host, process=process, host=host)
    world.add_process(process, "etcd", host, member_config(spec, process, (*members, me), joining=True))
    world.add_disk(process, *(round(ms * MILLISECOND) for ms in spec.fsync_ms))
    if machine(host) not in world.state.slots:
        add_machine(world, spec, host)
        world.start(machine(host))
    for slot in world.state.slots.values():
        if slot.kind == "sshd":  # a snapshot may be restored onto the new host, too
            slot.config = replace(slot.config, seeds=member_places(world))
            if slot.name in world.actors:
                world.actors[slot.name].config = slot.config
    desk = world.state.slots.get("console")
    if desk is not None:
        new = Login(host, address_of_member(host), machine(host), process)
        others = tuple(login for login in desk.config.logins if login.host != host)
        members = desk.config.members if process in desk.config.members else (*desk.config.members, process)
        desk.config = replace(desk.config, logins=(*others, new), members=members)
        if "console" in world.actors:
            world.actors["console"].config = desk.config


def machine(host: str) -> str:
    """The process that serves logins on a host with a part of the control plane."""
    return f"sshd-{host}"


def add_machine(world: World, spec: ClusterSpec, host: str) -> None:
    """``sshd`` on a host, with its file system and the manifests of its static pods."""
    members = member_places(world)
    member = next((seed.process for seed in members if seed.host == host), "")
    pods = [("etcd", member)] if member else []
    if host in control_plane_hosts(spec):
        pods += [(name, f"{name}-{host}") for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")]
    manifests = tuple(
        (f"{MANIFESTS}/{pod}.yaml", static_pods_text(spec, host, pod, members))
        for pod, _ in pods
        if not spec.bare or pod == "etcd"
    )
    if host in control_plane_hosts(spec):
        manifests += tuple((path, kubeconfig(spec)) for path in ("/etc/kubernetes/admin.conf", "/root/.kube/config"))
    name = machine(host)
    world.add_process(name, "sshd", host, MachineConfig(host, tuple(pods), manifests, member, members))
    world.add_disk(name, 0, 0)


def member_places(world: World) -> tuple[MemberSeed, ...]:
    """Every member of etcd there is a place for: its name, its process, its host."""
    slots = [slot for slot in world.state.slots.values() if slot.kind == "etcd"]
    return tuple(MemberSeed(slot.config.id, slot.config.name, slot.name, slot.host) for slot in slots)


def _add_control_plane(world: World, spec: ClusterSpec) -> None:
    members = seeds(spec)
    hosts = control_plane_hosts(spec)
    for index, host in enumerate(hosts):
        own = [m.process for m in members if m.host == host]
        others = [m.process for m in members if m.host != host]
        turn = index % len(others) if others else 0
        known = own if own and spec.topology == "stacked" else own + others[turn:] + others[:turn]
        world.add_process(
            f"kube-apiserver-{host}",
            "kube-apiserver",
            host,
            ApiServerConfig(
                epoch=spec.epoch,
                name=f"kube-apiserver-{host}",
                host=host,
                address=address(host),
                external_host=spec.server_url.removeprefix("https://").split("/")[0],
                etcd=tuple(known),
                addresses={m.process: address(m.host) for m in members},
                ca_pem=spec.pki.ca_cert,
                sa_public_pem=spec.pki.sa_public,
                sa_private_pem=spec.pki.sa_private,
                issuer="https://kubernetes.default.svc.cluster.local",
                service_cidr=SERVICE_CIDR,
                seed=spec.seed,
                legacy_tokens=spec.legacy_service_account_tokens,
            ),
        )
        world.add_process(
            f"kube-controller-manager-{host}",
            "kube-controller-manager",
            host,
            ControllerManagerConfig(
                epoch=spec.epoch,
                name=f"kube-controller-manager-{host}",
                host=host,
                server=f"kube-apiserver-{host}",
                peer=TlsPeer(common_name="system:kube-controller-manager"),
                sa_private_pem=spec.pki.sa_private,
                ca_pem=spec.pki.ca_cert,
                ca_key_pem=spec.pki.ca_key,
                cluster_cidr=pod_cidr(spec),
                service_cidr=SERVICE_CIDR,
                legacy_tokens=spec.legacy_service_account_tokens,
                qps_limits=spec.qps_limits,
            ),
        )
        world.add_process(
            f"kube-scheduler-{host}",
            "kube-scheduler",
            host,
            SchedulerConfig(
                epoch=spec.epoch,
                name=f"kube-scheduler-{host}",
                host=host,
                server=f"kube-apiserver-{host}",
                peer=TlsPeer(common_name="system:kube-scheduler"),
                qps_limits=spec.qps_limits,
            ),
        )
    world.add_process("lb", "balancer", "lb", BalancerConfig(tuple(f"kube-apiserver-{host}" for host in hosts)))


def _add_nodes(world: World, spec: ClusterSpec) -> None:
    nodes = (control_plane_hosts(spec) if spec.register_control_plane else []) + worker_hosts(spec)
    addresses = tuple((host, address(host)) for host in nodes)
    for host in nodes:
        control_plane = host.startswith("cp-")
        world.add_process(f"kernel-{host}", "kernel", host, _kernel(spec, host, addresses))
        world.add_process(f"kubelet-{host}", "kubelet", host, _kubelet(spec, host, control_plane))
        world.add_process(
            f"kube-proxy-{host}",
            "kube-proxy",
            host,
            KubeProxyConfig(
                epoch=spec.epoch,
                node=host,
                node_ip=address(host),
                server="lb",
                peer=TlsPeer(common_name="system:kube-proxy"),
                mode=spec.proxy_mode,
                cluster_cidr=pod_cidr(spec),
                service_cidr=SERVICE_CIDR,
                kernel=f"kernel-{host}",
                supervisor=f"kubelet-{host}" if spec.register_control_plane else "",
            ),
        )
        world.add_process(f"coredns-{host}", "coredns", host, _coredns(spec, host))


def _kernel(spec: ClusterSpec, host: str, nodes: tuple[tuple[str, str], ...]) -> KernelConfig:
    return KernelConfig(
        epoch=spec.epoch,
        server="lb",
        peer=TlsPeer(common_name="system:cni", organizations=("system:masters",)),
        node=host,
        address=address(host),
        nodes=nodes,
        overlay=spec.pod_network == "overlay",
        cluster_cidr=pod_cidr(spec),
        apiserver=f"kube-apiserver-{host}" if host.startswith("cp-") else "",
    )


def _coredns(spec: ClusterSpec, host: str) -> CoreDnsConfig:
    account = "system:serviceaccount:kube-system:coredns"
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
    return CoreDnsConfig(
        epoch=spec.epoch,
        server="lb",
        peer=TlsPeer(common_name=account, organizations=groups),
        supervisor=f"kubelet-{host}",
    )


def _kubelet(spec: ClusterSpec, host: str, control_plane: bool) -> KubeletConfig:
    return KubeletConfig(
        epoch=spec.epoch,
        node=host,
        host=host,
        address=address(host),
        server="lb",
        peer=TlsPeer(common_name=f"system:node:{host}", organizations=("system:nodes",)),
        capacity={"cpu": "4", "memory": "8147932Ki", "pods": "110", "ephemeral-storage": "61255492Ki"},
        taints=({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},) if control_plane else (),
        static_pods=tuple(static_pods(spec, host)) if control_plane else (),
        kernel=f"kernel-{host}",
    )


def static_pods(spec: ClusterSpec, host: str) -> list[dict]:
    """The manifests kubeadm leaves in ``/etc/kubernetes/manifests`` of a control-plane host."""
    version = PATCH_RELEASE[spec.kubernetes_version]
    parts = [
        ("kube-apiserver", f"registry.k8s.io/kube-apiserver:{version}", "250m"),
        ("kube-controller-manager", f"registry.k8s.io/kube-controller-manager:{version}", "200m"),
        ("kube-scheduler", f"registry.k8s.io/kube-scheduler:{version}", "100m"),
    ]
    if host in etcd_hosts(spec):
        parts.insert(0, ("etcd", ETCD_IMAGE, "100m"))
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": component,
                "namespace": "kube-system",
                "labels": {"component": component, "tier": "control-plane"},
            },
            "spec": {
                "hostNetwork": True,
                "priorityClassName": "system-node-critical",
                "containers": [
                    {
                        "name": component,
                        "image": image,
                        "command": [component],
                        "resources": {"requests": {"cpu": cpu}},
                    }
                ],
            },
        }
        for component, image, cpu in parts
    ]


def static_pods_text(spec: ClusterSpec, host: str, pod: str, members: tuple[MemberSeed, ...]) -> str:
    """The manifest of one static pod as the file that kubeadm wrote."""
    command = [pod]
    if pod == "etcd":
        own = next(seed for seed in members if seed.host == host)
        at = f"https://{address_of_member(host)}"
        command += [
            f"--advertise-client-urls={at}:2379",
            "--data-dir=/var/lib/etcd",
            f"--initial-advertise-peer-urls={at}:2380",
            f"--initial-cluster={initial_cluster(members)}",
            f"--listen-client-urls=https://127.0.0.1:2379,{at}:2379",
            f"--listen-peer-urls={at}:2380",
            f"--name={own.name}",
        ]
    lines = "".join(f"    - {word}\n" for word in command)
    image = next(
        (doc["spec"]["containers"][0]["image"] for doc in static_pods(spec, host) if doc["metadata"]["name"] == pod),
        ETCD_IMAGE,
    )
    return (
        "apiVersion: v1\nkind: Pod\nmetadata:\n"
        f"  labels:\n    component: {pod}\n    tier: control-plane\n  name: {pod}\n  namespace: kube-system\n"
        f"spec:\n  containers:\n  - command:\n{lines}    image: {image}\n    name: {pod}\n  hostNetwork: true\n  priorityClassName: system-node-critical\n"
    )


def initial_cluster(members: tuple[MemberSeed, ...]) -> str:
    """``--initial-cluster``."""
    return ",".join(f"{seed.name}=https://{address_of_member(seed.host)}:2380" for seed in members)


def kubeconfig(spec: ClusterSpec) -> str:
    """The admin's kubeconfig, as ``GET /clusters/<name>/kubeconfig`` gives it."""
    ca, cert, key = (b64encode(pem).decode() for pem in (spec.pki.ca_cert, spec.pki.admin_cert, spec.pki.admin_key))
    return (
        "apiVersion: v1\nclusters:\n- cluster:\n"
        f"    certificate-authority-data: {ca}\n    server: {spec.server_url}\n  name: {spec.name}\n"
        f"contexts:\n- context:\n    cluster: {spec.name}\n    user: {spec.name}-admin\n  name: {spec.name}\n"
        f"current-context: {spec.name}\nkind: Config\npreferences: {{}}\nusers:\n- name: {spec.name}-admin\n  user:\n"
        f"    client-certificate-data: {cert}\n    client-key-data: {key}\n"
    )


def _add_desk(world: World, spec: ClusterSpec) -> None:
    admin = TlsPeer(common_name="kubernetes-admin", organizations=("kubeadm:cluster-admins",))
    world.add_process(
        "console",
        "shell",
        "desk",
        ConsoleConfig(
            epoch=spec.epoch,
            server="lb",
            server_url=spec.server_url,
            ca_pem=spec.pki.ca_cert.decode(),
            admin=admin,
            kubeconfig=kubeconfig(spec),
            context=spec.name,
            nodes=tuple(worker_hosts(spec)),
            hosts=tuple(
                (h, address(h))
                for h in (control_plane_hosts(spec) if spec.register_control_plane else []) + worker_hosts(spec)
            ),
            members=tuple(member.process for member in seeds(spec)),
            logins=tuple(
                Login(host, address(host), machine(host), next((m.process for m in seeds(spec) if m.host == host), ""))
                for host in dict.fromkeys(control_plane_hosts(spec) + etcd_hosts(spec))
            ),
        ),
    )
    world.add_process(
        "kubeadm",
        "kubeadm",
        "desk",
        KubeadmConfig(
            epoch=spec.epoch,
            server="lb",
            peer=TlsPeer(common_name="kubernetes-super-admin", organizations=("system:masters",)),
            server_url=spec.server_url,
            ca_pem=spec.pki.ca_cert,
            version=PATCH_RELEASE[spec.kubernetes_version],
            pod_cidr=pod_cidr(spec),
            service_cidr=SERVICE_CIDR,
            proxy_mode=spec.proxy_mode,
            addons=spec.register_control_plane,
            control_planes=tuple(control_plane_hosts(spec)) if spec.register_control_plane else (),
        ),
    )
