"""Whether a step of a lesson has come to its end: one CEL expression over the cluster, as it is at this instant.

In → an expression, and the instant at which the step began; out → ``{holds, said, wrong}``. Besides the plurals of all objects
(``pods``, ``services`` …) an expression may name these tables, each a list of rows:

| table | rows |
|---|---|
| ``members`` | etcd's: ``id name host up paused boot role term lead learner commit lastIndex firstIndex snapIndex revision size cluster`` (size: of its file, bytes) |
| ``quorum`` | one: ``voters need have alive mayLose leader`` |
| ``hosts`` ``processes`` | ``name up paused``; ``name kind host up paused boot leads ready etcd`` (ready: apiservers) |
| ``network`` | one: ``parted`` and how many links are ``cut``, ``slow``, ``lossy`` |
| ``requests`` | what clients outside asked since the step began: ``method path verb resource namespace name code user agent outcome`` |
| ``backends`` | the balancer's: ``name up`` |
| ``terms`` | leaders seen since then: ``term leader skipped`` (how many terms before it had none) |
| ``pending`` | puts in the logs of running members that are not committed: ``member key value`` |
| ``keys`` | etcd's keys outside of ``/registry/``: ``key value version revision`` |
| ``alarms`` | ``member alarm`` |
| ``rules`` | each node's rules: ``node mode text`` |
| ``walks`` | the packets that the step names, walked now: ``verdict endpoints masquerade node error`` |
| ``flows`` | connections that nodes' kernels remember: ``node protocol src dst dport answered dnat`` |
| ``passed`` | packets since the step began, as a node's kernel judged them: ``node protocol src dst dport verdict why allowed``
|  | (by the NetworkPolicies that are asked), ``policies`` (those that refused it) |
| ``snapshots`` | etcd's, on hosts' disks: ``host path size revision totalKey hash error`` |
| ``clock`` | one: ``seconds`` since the step began |

Nothing is remembered between two questions, so the learner's next step, a reload and another onlooker see the same.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from cluster.api import scheme
from cluster.etcd.member import EtcdMember
from cluster.snapshot.backups import snapshots
from cluster.snapshot.cel import Expression, Refused, Unsettled
from cluster.snapshot.ha import member_rows, quorum
from cluster.snapshot.map import processes
from cluster.snapshot.network import Probe, packet
from cluster.snapshot.node_network import kernels, node_network
from cluster.snapshot.requests import requests
from cluster.snapshot.scene import Scene
from cluster.wire.etcd import PutRequest

NEWEST = 80
KEYS = 60
TEXT_OF_RULES = 60_000
Rows = list[dict[str, Any]]


def lesson(
    scene: Scene, cel: str, since: int = 0, wrong: Iterable[str] = (), walks: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Whether ``cel`` holds now, and which of the ``wrong`` expressions do. ``since``: virtual micros of the step's beginning."""
    tables = Tables(scene, since, list(walks))
    holds, said = _ask(cel, tables)
    return {"holds": holds, "said": said, "wrong": [_ask(text, tables)[0] for text in wrong]}


def _ask(text: str, tables: "Tables") -> tuple[bool, str]:
    try:
        return _compiled(text).holds(tables), ""  # type: ignore[arg-type]
    except (Unsettled, Refused) as error:
        return False, str(error)


@lru_cache(maxsize=512)
def _compiled(text: str) -> Expression:
    plurals = {resource.plural for resource in scheme.builtin().resources() if resource.prefix}
    return Expression(text, lambda name: name in plurals or name in EXTRA)


class Tables:
    """The objects with the tables above beside them; a table is made when an expression names it."""

    def __init__(self, scene: Scene, since: int, walks: Rows) -> None:
        self.scene, self.since, self.walks = scene, since, walks
        self.made: dict[str, dict[str, Any]] = {}
        self.by_resource = dict.fromkeys((*scene.objects.by_resource, *EXTRA))

    def get(self, name: str) -> Any:
        if name not in EXTRA:
            return self.scene.objects.get(name)
        if name not in self.made:
            self.made[name] = {str(n): row for n, row in enumerate(EXTRA[name](self))}
        return self.made[name]


def _members(tables: Tables) -> Rows:
    rows: Rows = []
    scene = tables.scene
    for row in member_rows(scene):
        slot = scene.world.state.slots[row["id"]]
        actor = scene.world.actors.get(row["id"])
        status = {} if actor is None else actor.status()
        known = ("commit", "lastIndex", "firstIndex", "snapIndex")
        rows.append(
            {
                **row,
                "boot": slot.boot,
                "cluster": f"{slot.config.cluster_id:x}",
                "size": 0 if actor is None else actor.state.app.store.size,
                **{key: int(status.get(key) or 0) for key in known},
            }
        )
    return rows


def _quorum(tables: Tables) -> Rows:
    return [quorum(tables.scene, member_rows(tables.scene))]


def _hosts(tables: Tables) -> Rows:
    return [
        {"name": host.name, "up": host.up, "paused": host.paused} for host in tables.scene.world.state.hosts.values()
    ]


def _processes(tables: Tables) -> Rows:
    rows: Rows = []
    for row in processes(tables.scene):
        status = row.pop("status")
        rows.append(
            {
                **row,
                "leads": bool(status.get("leader")),
                "ready": bool(status.get("ready")),
                "etcd": str(status.get("etcd", "")),
            }
        )
    return rows


def _network(tables: Tables) -> Rows:
    net = tables.scene.world.state.network
    links = list(net.links.values())
    slow = sum(1 for link in links if link.low is not None and link.low > net.high)
    return [
        {
            "parted": net.groups is not None,
            "cut": sum(1 for link in links if link.cut),
            "slow": slow,
            "lossy": sum(1 for link in links if link.loss),
        }
    ]


def _requests(tables: Tables) -> Rows:
    rows = requests(tables.scene, limit=NEWEST)
    kept = ("method", "path", "verb", "resource", "namespace", "name", "code", "user", "outcome")
    return [
        {**{key: row[key] for key in kept}, "agent": row["userAgent"]}
        for row in rows
        if row["startMicros"] >= tables.since
    ]


def _terms(tables: Tables) -> Rows:
    rows: Rows = []
    before = 0
    for at, term, leader in tables.scene.memory.terms:
        if at // 1000 >= tables.since:
            rows.append({"term": term, "leader": leader, "skipped": max(term - before - 1, 0) if before else 0})
        before = term
    return rows


def _backends(tables: Tables) -> Rows:
    balancer = tables.scene.world.actors.get("lb")
    return [] if balancer is None else balancer.status()["backends"]


def _pending(tables: Tables) -> Rows:
    rows: Rows = []
    for member in (actor for actor in tables.scene.world.actors.values() if isinstance(actor, EtcdMember)):
        log = member.state.raft.log
        for entry in log.entries[max(log.committed + 1 - log.first, 0) :]:
            put = getattr(entry.data, "request", None)
            if isinstance(put, PutRequest):
                key, value = (text[:200].decode("utf-8", "replace") for text in (put.key, put.value))
                rows.append({"member": member.name, "key": key, "value": value})
    return rows[:NEWEST]


def _wisest(tables: Tables) -> Any:
    """The application of the running member that has applied most, or None."""
    member = tables.scene.objects.freshest(tables.scene.world)
    return member.state.app if member is not None else None


def _keys(tables: Tables) -> Rows:
    app = _wisest(tables)
    pairs = (
        [] if app is None else [pair for key, pair in app.store.current.items() if not key.startswith(b"/registry/")]
    )
    return [
        {
            "key": pair.key.decode("utf-8", "replace"),
            "value": pair.value[:200].decode("utf-8", "replace"),
            "version": pair.version,
            "revision": pair.mod_revision,
        }
        for pair in pairs[:KEYS]
    ]


def _alarms(tables: Tables) -> Rows:
    app = _wisest(tables)
    return [{"member": f"{member:x}", "alarm": alarm} for member, alarm in (app.alarms if app is not None else ())]


def _rules(tables: Tables) -> Rows:
    return [
        {"node": node, "mode": kernel.state.tables.mode, "text": kernel.rules_text()[:TEXT_OF_RULES]}
        for node, kernel in kernels(tables.scene.world).items()
    ]


def _walks(tables: Tables) -> Rows:
    rows: Rows = []
    for asked in tables.walks:
        walk = packet(tables.scene.world, tables.scene.objects, Probe(**asked))
        rows.append(
            {
                "verdict": str(walk.get("verdict", "")),
                "endpoints": [str(end) for end in walk.get("endpoints") or ()],
                "masquerade": bool(walk.get("masquerade")),
                "node": str(walk.get("node", "")),
                "error": str(walk.get("error", "")),
            }
        )
    return rows


def _flows(tables: Tables) -> Rows:
    rows: Rows = []
    for node in kernels(tables.scene.world):
        for flow in node_network(tables.scene, node)["conntrack"][-NEWEST:]:
            original = flow["original"]
            rows.append(
                {
                    "node": node,
                    "protocol": flow["protocol"],
                    "src": original["src"],
                    "dst": original["dst"],
                    "dport": original["dport"],
                    "answered": flow["seenReply"],
                    "dnat": flow["dnat"],
                }
            )
    return rows[-NEWEST:]


def _passed(tables: Tables) -> Rows:
    rows: Rows = []
    for node in kernels(tables.scene.world):
        for one in node_network(tables.scene, node)["passed"][-NEWEST:]:
            if one["at"] >= tables.since:
                before = {key: one["before"][key] for key in ("protocol", "src", "dst", "dport")}
                refused = next((row["policies"] for row in one["policies"] if not row["allowed"]), None)
                told = {"verdict": one["verdict"], "why": one["why"], "allowed": refused is None}
                rows.append({"node": node, **before, **told, "policies": list(refused or ())})
    return rows[-NEWEST:]


def _clock(tables: Tables) -> Rows:
    return [{"seconds": (tables.scene.world.now // 1000 - tables.since) / 1e6}]


EXTRA: dict[str, Callable[[Tables], Rows]] = {
    "members": _members,
    "quorum": _quorum,
    "hosts": _hosts,
    "processes": _processes,
    "network": _network,
    "requests": _requests,
    "terms": _terms,
    "backends": _backends,
    "pending": _pending,
    "keys": _keys,
    "alarms": _alarms,
    "rules": _rules,
    "walks": _walks,
    "flows": _flows,
    "passed": _passed,
    "clock": _clock,
    "snapshots": lambda tables: snapshots(tables.scene.world),
}
