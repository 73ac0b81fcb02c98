"""How the control plane stands: who runs where, who talks to which member, who holds which Lease, and with which certificates.

In → a ``Scene``; out → JSON-able dicts. ``ha`` is one instant's picture; ``certificates`` the X.509 documents that the members and
apiservers of this cluster show each other.

Simplified here: members prove themselves by saying who they are (see ``cluster.topology``); the certificates are what kubeadm would have
left in ``/etc/kubernetes/pki/etcd``, made from the cluster's seed (ECDSA P-256, kubeadm's ``encryptionAlgorithm: ECDSA-P256``), the same ones
whenever one looks, and no handshake of the simulation reads them.

Upstream: cmd/kubeadm/app/phases/certs/certlist.go.
"""

import datetime
import ipaddress
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.sim.clock import parse_rfc3339
from cluster.sim.dice import Dice
from cluster.snapshot.map import ORDER, role_of
from cluster.snapshot.quorum import clusters, ears, one_cluster
from cluster.snapshot.releases import releases
from cluster.snapshot.scene import Scene

LEASES = ("kube-controller-manager", "kube-scheduler")
ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def ha(scene: Scene) -> dict[str, Any]:
    """``{topology, hosts, apiservers, members, backends, leases, quorum, clusters, releases}``. See the functions below."""
    members = member_rows(scene)
    return {
        "topology": scene.spec.topology,
        "bare": scene.spec.bare,
        "hosts": host_rows(scene),
        "apiservers": apiservers(scene),
        "backends": backends(scene),
        "members": members,
        "leases": leases(scene),
        "quorum": quorum(scene, members),
        "clusters": clusters(members, ears(scene)),
        "releases": {"hosts": []} if scene.spec.bare else releases(scene),
    }


def host_rows(scene: Scene) -> list[dict[str, Any]]:
    """Hosts of the control plane and of etcd, and the balancer's: ``{name, role, up, paused, processes}``."""
    state = scene.world.state
    rows: list[dict[str, Any]] = []
    for host in state.hosts.values():
        role = role_of(host.name)
        if role in ("worker", "desk"):
            continue
        mine = [slot for slot in state.slots.values() if slot.host == host.name and slot.kind != "sshd"]
        mine.sort(key=lambda slot: ORDER.get(slot.kind, 9))
        rows.append(
            {
                "name": host.name,
                "role": role,
                "up": host.up,
                "paused": host.paused,
                "processes": [
                    {
                        "name": slot.name,
                        "kind": slot.kind,
                        "up": slot.up and host.up,
                        "paused": slot.paused or host.paused,
                    }
                    for slot in mine
                ],
            }
        )
    return rows


def apiservers(scene: Scene) -> list[dict[str, Any]]:
    """``{name, host, up, ready, etcd, connected, local, order}``: the member it talks to, whether it has a connection, whether that is on
    its own host, and all members that it knows.
    """
    rows: list[dict[str, Any]] = []
    slots = scene.world.state.slots
    for slot in slots.values():
        if slot.kind != "kube-apiserver":
            continue
        actor = scene.world.actors.get(slot.name)
        status = {} if actor is None else actor.status()
        member = status.get("etcd", "")
        order = [name for name in slot.config.etcd if name in slots]
        rows.append(
            {
                "name": slot.name,
                "host": slot.host,
                "up": actor is not None,
                "ready": bool(status.get("ready")),
                "etcd": member,
                "connected": bool(status.get("etcdConnected")),
                "local": bool(member) and member in slots and slots[member].host == slot.host,
                "order": order,
                "watchers": status.get("watchers", 0),
            }
        )
    return rows


def backends(scene: Scene) -> list[dict[str, Any]]:
    """The balancer's own opinion: ``{name, up}``."""
    actor: Any = scene.world.actors.get("lb")
    return [] if actor is None else actor.status()["backends"]


def member_rows(scene: Scene) -> list[dict[str, Any]]:
    """``{id, name, host, up, paused, role, term, lead, learner, revision, names, cluster}``; ``names``: the members that it knows."""
    rows: list[dict[str, Any]] = []
    for slot in scene.world.state.slots.values():
        if slot.kind != "etcd":
            continue
        actor = scene.world.actors.get(slot.name)
        status = {} if actor is None else actor.status()
        rows.append(
            {
                "id": slot.name,
                "name": slot.config.name,
                "host": slot.host,
                "up": actor is not None,
                "paused": slot.paused or scene.world.state.hosts[slot.host].paused,
                "role": status.get("role", "down"),
                "term": status.get("term", 0),
                "lead": status.get("lead", ""),
                "learner": bool(status.get("learner")),
                "revision": status.get("revision", 0),
                "names": status.get("members", []),
                "learners": status.get("learners", []),
                "cluster": f"{slot.config.cluster_id:x}",
            }
        )
    return rows


def quorum(scene: Scene, members: list[dict[str, Any]]) -> dict[str, Any]:
    """``{voters, need, have, mayLose, alive, leader, …}`` of the cluster in which most members run; see ``cluster.snapshot.quorum``."""
    found = clusters(members, ears(scene))
    return found[0] if found else one_cluster("", [], ears(scene))


def leases(scene: Scene) -> list[dict[str, Any]]:
    """The two elections by Lease: who holds it, how old the last renewal is, and who waits.

    ``{name, holder, process, host, renewedMicros, agoMicros, durationMicros, transitions, expired, candidates: [{process, host, up, leads}]}``
    """
    known = scene.objects.get("leases")
    slots = scene.world.state.slots
    rows: list[dict[str, Any]] = []
    for name in LEASES if not scene.spec.bare else ():
        doc = known.get(f"kube-system/{name}", {})
        spec = doc.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        candidates: list[dict[str, Any]] = []
        for slot in slots.values():
            if slot.kind != name:
                continue
            actor = scene.world.actors.get(slot.name)
            status = {} if actor is None else actor.status()
            candidates.append(
                {
                    "process": slot.name,
                    "host": slot.host,
                    "up": actor is not None,
                    "leads": bool(status.get("leader")),
                    "identity": status.get("identity", ""),
                }
            )
        renewed = parse_rfc3339(spec["renewTime"], scene.spec.epoch) if spec.get("renewTime") else None
        duration = int(spec.get("leaseDurationSeconds") or 0) * 1_000_000
        ago = None if renewed is None else (scene.world.now - renewed) // 1000
        host = holder.partition("_")[0]
        rows.append(
            {
                "name": name,
                "holder": holder,
                "host": host,
                "process": f"{name}-{host}" if f"{name}-{host}" in slots else "",
                "agoMicros": ago,
                "durationMicros": duration,
                "transitions": int(spec.get("leaseTransitions") or 0),
                "expired": ago is None or ago > duration,
                "candidates": candidates,
            }
        )
    return rows


# -- certificates -----------------------------------------------------------------------------------------------------


def certificates(scene: Scene) -> list[dict[str, Any]]:
    """Every certificate of etcd's own PKI: ``{file, host, subject, issuer, names, usages, notBefore, notAfter, serial, sha256, pem}``."""
    spec = scene.spec
    hosts: list[tuple[str, str]] = []
    clients: list[str] = []
    addresses = {}
    for slot in scene.world.state.slots.values():
        if slot.kind == "etcd":
            hosts.append((slot.host, slot.name))
            addresses |= dict(slot.config.addresses)
        elif slot.kind == "kube-apiserver":
            clients.append(slot.host)
    plan: list[tuple[str, str, str, tuple[str, ...], tuple[str, ...]]] = []
    for host, _ in hosts:
        names = (host, "localhost", addresses.get(host, ""), "127.0.0.1", "::1")
        plan.append((host, "etcd/server.crt", host, names, ("serverAuth", "clientAuth")))
        plan.append((host, "etcd/peer.crt", host, names, ("serverAuth", "clientAuth")))
        plan.append((host, "etcd/healthcheck-client.crt", "kube-etcd-healthcheck-client", (), ("clientAuth",)))
    for host in clients:
        plan.append((host, "apiserver-etcd-client.crt", "kube-apiserver-etcd-client", (), ("clientAuth",)))
    ca = _certificate(spec.seed, spec.epoch, "", "etcd/ca.crt", "etcd-ca", (), ())
    return [ca, *(_certificate(spec.seed, spec.epoch, *row) for row in plan)]


def _key(seed: int, what: str) -> ec.EllipticCurvePrivateKey:
    """A key that depends on the seed and on whose it is, and on nothing else."""
    dice = Dice.named(seed, f"pki/{what}")
    number = 0
    for _ in range(4):
        number = number << 64 | dice.bits()
    return ec.derive_private_key(number % (ORDER_OF_P256 - 1) + 1, ec.SECP256R1())


@lru_cache(maxsize=512)
def _certificate(
    seed: int, epoch: int, host: str, file: str, common_name: str, names: tuple[str, ...], usages: tuple[str, ...]
) -> dict[str, Any]:
    authority = not usages
    what = f"{host}/{file}"
    key, signer = _key(seed, what), _key(seed, "/etcd/ca.crt")
    began = datetime.datetime.fromtimestamp(epoch, datetime.UTC)
    ends = began + datetime.timedelta(days=3650 if authority else 365)
    subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)]) for cn in (common_name, "etcd-ca"))
    serial = 0 if authority else Dice.named(seed, f"pki/serial/{what}").bits() >> 1
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or 1)
        .not_valid_before(began)
        .not_valid_after(ends)
        .add_extension(x509.KeyUsage(True, False, not authority, False, False, authority, False, False, False), True)
    )
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    else:
        known = {"serverAuth": ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH}
        builder = builder.add_extension(x509.ExtendedKeyUsage([known[name] for name in usages]), False)
    general = [_general(name) for name in names if name]
    if general:
        builder = builder.add_extension(x509.SubjectAlternativeName(general), False)
    made = builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True)
    return {
        "file": f"/etc/kubernetes/pki/{file}",
        "host": host,
        "subject": made.subject.rfc4514_string(),
        "issuer": made.issuer.rfc4514_string(),
        "names": [name for name in names if name],
        "usages": list(usages),
        "notBefore": made.not_valid_before_utc.isoformat(),
        "notAfter": made.not_valid_after_utc.isoformat(),
        "serial": f"{made.serial_number:x}",
        "sha256": made.fingerprint(hashes.SHA256()).hex(),
        "pem": made.public_bytes(serialization.Encoding.PEM).decode(),
    }


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
