"""What a transcript may say, and who does it: a headless cluster, driven line by line.

A transcript (``*.txt``) is prose, commands and what they print::

    # Prose begins with a hash sign.
    > cluster workers=2
        ready; kube-apiserver-cp-1 …

Every line with ``>`` is a command (``COMMANDS`` below: its function's docstring says what it does); the indented lines
after it are its output. Seed 1, so the same each time. What depends on random keys or on how many requests there
were before is masked: uids, tokens, resource versions, the random ends of names.
"""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from cluster.lab import ClusterSpec, EtcdOpIn, HealIn, HostOp, Lab, MemberOp, PacketIn, PartitionIn
from cluster.sim.clock import MILLISECOND, SECOND
from cluster.wire.http import TlsPeer
from tests.cluster.lab.desk import ADMIN, EPOCH, NOBODY, Desk, keys

MASKS = (
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "<token>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r'("resourceVersion": )"\d+"'), r'\1"<revision>"'),
    (re.compile(r"\b(revision|entry) \d+"), r"\1 <n>"),
    (re.compile(r"\d+\.\d ms"), "<n> ms"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
)
RANDOM_END = re.compile(r"\b([a-z][a-z0-9-]*)-([bcdfghjklmnpqrstvwxz2456789]{5})\b")
"""A name that ``generateName`` made: no vowels, no 0, 1 or 3."""


class Stage:
    """One transcript's cluster. ``do(line)`` answers the lines printed."""

    def __init__(self) -> None:
        self.desk: Desk
        self.ends: dict[str, str] = {}

    def do(self, line: str) -> list[str]:
        """Run a command; what it prints, masked."""
        name, _, rest = line.partition(" ")
        printed = "\n".join(COMMANDS[name](self, rest.strip()))
        for pattern, instead in MASKS:
            printed = pattern.sub(instead, printed)
        return [each.rstrip() for each in RANDOM_END.sub(self._named, printed).splitlines()]

    def _named(self, found: re.Match[str]) -> str:
        return f"{found[1]}-{self.ends.setdefault(found[2], f'<{len(self.ends) + 1:03}>')}"


def cluster(stage: Stage, rest: str) -> Iterator[str]:
    """``cluster workers=2 control_planes=1``: boot one and wait until it is ready."""
    stage.desk = Desk.boot(**_fields(rest))
    slots = stage.desk.lab.query("processes")
    counts = Counter(slot["kind"] for slot in slots)
    yield "ready: " + ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts))


def bare(stage: Stage, rest: str) -> Iterator[str]:
    """``bare etcd_members=5``: etcd alone, just executed."""
    stage.desk = Desk(Lab.start(ClusterSpec(name="demo", epoch=EPOCH, pki=keys(), bare=True, **_fields(rest))))
    return members(stage, "")


def run(stage: Stage, rest: str) -> Iterator[str]:
    """``run 3s`` or ``run 50ms``: let virtual time pass."""
    unit = MILLISECOND if rest.endswith("ms") else SECOND
    stage.desk.lab.run_until(stage.desk.lab.now + int(rest.rstrip("ms")) * unit)
    yield from ()


def members(stage: Stage, rest: str) -> Iterator[str]:
    """Every member's role, term, leader, vote and commit index."""
    for row in stage.desk.lab.query("members"):
        state = "paused" if row["paused"] else row["role"] if row["up"] else "stopped"
        yield (
            f"{row['id']}  {state:<13} term {row['term']}  leader {row['lead'] or '–':<3} "
            f"voted for {row['votedFor'] or '–':<3} commit {row['commit']}"
        )


def elections(stage: Stage, rest: str) -> Iterator[str]:
    """Which member led, term by term."""
    for row in stage.desk.lab.query("terms"):
        yield f"term {row['term']}: {row['leader']}"


def member(stage: Stage, rest: str) -> Iterator[str]:
    """``member m1 stop``: an act on a member; then the members half a virtual second later."""
    name, op, *to = rest.split()
    stage.desk.lab.submit(MemberOp(name, op, *to))  # type: ignore[arg-type]
    stage.desk.lab.run_until(stage.desk.lab.now + SECOND // 2)
    return members(stage, "")


def host(stage: Stage, rest: str) -> Iterator[str]:
    """``host cp-1 stop``."""
    name, op = rest.split()
    stage.desk.lab.submit(HostOp(name, op))  # type: ignore[arg-type]
    yield from ()


def partition(stage: Stage, rest: str) -> Iterator[str]:
    """``partition cp-1 | cp-2 cp-3``: cut every link between the groups of hosts."""
    stage.desk.lab.submit(PartitionIn(tuple(tuple(group.split()) for group in rest.split("|"))))
    yield from ()


def heal(stage: Stage, rest: str) -> Iterator[str]:
    """Mend every link."""
    stage.desk.lab.submit(HealIn())
    yield from ()


def etcd(stage: Stage, rest: str) -> Iterator[str]:
    """``etcd m1 put k v``, ``etcd m1 get k``: one operation at a member, for at most ten virtual seconds."""
    name, f, key, *value = rest.split()
    call = f"e{stage.desk.lab.now}"
    stage.desk.lab.submit(EtcdOpIn(call, name, f, key, *value))  # type: ignore[arg-type]
    for _ in range(100):
        stage.desk.lab.run_until(stage.desk.lab.now + SECOND // 10)
        op = next((op for op in stage.desk.lab.query("ops")["ops"] if op["id"] == call), None)
        if op is not None:
            yield f"{op['res']} {orjson.dumps(op['out'] or op['error'], option=orjson.OPT_SORT_KEYS).decode()}"
            return
    yield "no answer within ten virtual seconds"


def type_line(stage: Stage, rest: str) -> Iterator[str]:
    """``$ kubectl get nodes``: a line typed into the browser's console, run to its end."""
    said, wrong, code = stage.desk.type(rest)
    yield from (said + wrong).splitlines()
    if code:
        yield f"(exit code {code})"


def ask(stage: Stage, rest: str) -> Iterator[str]:
    """``ask POST /path [as=jane:dev] [json]``: code, reason and message; with ``as=nobody`` no certificate is shown."""
    method, path, *words = shlex.split(rest)
    peer, doc = ADMIN, None
    for word in words:
        who = word.removeprefix("as=")
        if who == word:
            doc = orjson.loads(word)
        else:
            name, _, group = who.partition(":")
            peer = NOBODY if who == "nobody" else TlsPeer(common_name=name, organizations=(group,) if group else ())
    code, answer = stage.desk.ask(method, path, doc, peer=peer)
    if isinstance(answer, dict) and answer.get("kind") == "Status":
        yield f"{code} {answer.get('reason', '')}".rstrip()
        yield answer.get("message", "")
        for cause in (answer.get("details") or {}).get("causes", ()):
            yield f"  {cause['field']}: {cause['reason']}: {cause['message']}"
    else:
        found = answer if isinstance(answer, dict) else {"kind": answer}
        yield f"{code} {found['kind']} {found.get('metadata', {}).get('name', '')}".rstrip()


def stages(stage: Stage, rest: str) -> Iterator[str]:
    """Every stage of the last request that was asked: outcome, reason, and what it changed."""
    for row in _trace(stage)["stages"]:
        yield f"{row['outcome']:<7} {row['name']}: {row['reason']}"
        for change in row["patch"]:
            yield f"          {change['op']} {change['path']}"


def detail(stage: Stage, rest: str) -> Iterator[str]:
    """``detail authorization``: what else that stage of the last request says."""
    for row in _trace(stage)["stages"]:
        if row["name"] == rest:
            yield from orjson.dumps(row["detail"], option=orjson.OPT_INDENT_2).decode().splitlines()


def tree(stage: Stage, rest: str) -> Iterator[str]:
    """``tree [30s]``: all that the last request, or the last create of the named resource, has caused by then."""
    if rest:
        rows = stage.desk.lab.query("requests", limit=1000)
        stage.desk.request = max(r["id"] for r in rows if (r["verb"], r["resource"]) == ("create", rest))
    trace = _trace(stage)
    yield f"{trace['verb']} {trace['resource']} by {trace['user']}: {trace['code']}"
    yield from _branches(trace["tree"], "  ")


def rules(stage: Stage, rest: str) -> Iterator[str]:
    """``rules node-1 default/web``: the lines of that node's rules that belong to the Service."""
    node, service = rest.split()
    mine = [line for line in stage.desk.lab.query("rules", node=node).splitlines() if service in line]
    chains = {word for line in mine for word in line.split() if word.startswith(("KUBE-SVC-", "KUBE-SEP-"))}
    yield from (line for line in mine if not line.startswith(":"))
    yield f"({len(chains)} chains of its own)"


def packet(stage: Stage, rest: str) -> Iterator[str]:
    """``packet node-1 web tcp 80``: a packet's walk: every rule that caught it and where it may end."""
    src, dst, protocol, port = rest.split()
    stage.desk.lab.submit(PacketIn(f"p{stage.desk.lab.now}", src, dst, protocol, int(port)))
    walk: Any = stage.desk.drain()[-1].doc
    for step in walk["steps"]:
        chance = "" if step["probability"] == 1 else f"  (p={step['probability']:.4g})"
        yield f"{step['hook']:<11} {step['table']:<6} {step['rule']}"
        yield f"{'':<18} → {step['outcome']}{chance}"
    yield f"{walk['verdict']}{', masqueraded' if walk['masquerade'] else ''}"
    for outcome in walk["outcomes"]:
        if outcome["endpoint"]:
            yield f"  {outcome['endpoint']}  p={outcome['probability']:.4g}"


COMMANDS: dict[str, Callable[[Stage, str], Iterator[str]]] = {
    "cluster": cluster,
    "bare": bare,
    "run": run,
    "members": members,
    "elections": elections,
    "member": member,
    "host": host,
    "partition": partition,
    "heal": heal,
    "etcd": etcd,
    "$": type_line,
    "ask": ask,
    "stages": stages,
    "detail": detail,
    "tree": tree,
    "rules": rules,
    "packet": packet,
}


def _fields(rest: str) -> dict[str, int]:
    return {name: int(value) for name, _, value in (word.partition("=") for word in rest.split())}


def _trace(stage: Stage) -> dict[str, Any]:
    return stage.desk.lab.query("request", id=stage.desk.request)


def _branches(nodes: list[dict[str, Any]], indent: str) -> Iterator[str]:
    for node in nodes:
        if node["kind"] == "request":
            yield f"{indent}{node['component']}: {node['text'].partition('?')[0]} {node['code']}"
        else:
            yield f"{indent}{node['component']}: {node['text']}"
        yield from _branches(node.get("children", []), indent + "  ")
