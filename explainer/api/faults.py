"""Laboratory acts: members, hosts, processes and links are stopped, started, cut and healed. They work on a paused cluster too."""

from typing import Any

from django.http import HttpRequest

from explainer.api.bodies import (
    AlignBody,
    CutsBody,
    DelayBody,
    DiskBody,
    EtcdOpBody,
    LinkBody,
    MemberBody,
    NoBody,
    PartitionBody,
    TransferBody,
)
from explainer.api.calls import ask, body_as, call, number
from explainer.runs.bus import Bus, Failed
from explainer.runs.mail import item

RUNNING = ("stop", "start", "pause", "resume")
MEMBER = (*RUNNING, "campaign", "transfer", "snapshot", "disk")
MESSAGE = ("drop", "deliver", "delay")
RAFT = ("tables", "invariants", "next")


@call("GET", "POST")
async def members(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """etcd's members as they are now; POST adds one."""
    if request.method == "POST":
        body = body_as(request, MemberBody)
        return await membership(bus, cluster, "MemberAddIn", name=body.name, host=body.host, learner=body.learner)
    log = request.GET.get("log", "none")
    if log not in ("none", "full"):
        raise Failed(400, "log is none or full")
    return await ask(request, bus, cluster, "members", log=log, since=number(request, "from", 0))


@call("POST")
async def member(request: HttpRequest, bus: Bus, cluster: str, name: str, op: str) -> Any:
    """Stop, start, pause, resume a member, let its election timer run out, hand leadership over, compact its log, or change its disk."""
    _known(op, MEMBER)
    if op == "disk":
        await bus.act(cluster, item("DiskIn", member=name, fsync_ms=body_as(request, DiskBody).fsync_ms))
        return await bus.query_json(cluster, "members")
    to = body_as(request, TransferBody).to if op == "transfer" else ""
    await bus.act(cluster, item("MemberOp", member=name, op=op, to=to))
    return await bus.query_json(cluster, "members")


@call("DELETE")
async def remove(request: HttpRequest, bus: Bus, cluster: str, name: str) -> Any:
    """Take a member out of the cluster."""
    return await membership(bus, cluster, "MemberRemoveIn", member=name)


@call("POST")
async def promote(request: HttpRequest, bus: Bus, cluster: str, name: str) -> Any:
    """Make a learner a voter."""
    return await membership(bus, cluster, "MemberPromoteIn", member=name)


async def membership(bus: Bus, cluster: str, kind: str, **fields: Any) -> Any:
    """Ask etcd for a change of membership; its own words when it refuses (409), else the members as they are now."""
    async for piece in bus.stream(cluster, kind, 60.0, **fields):
        if "error" in piece:
            raise Failed(409, piece["error"])
        return await bus.query_json(cluster, "members")
    raise Failed(503, "no answer")


@call("POST")
async def host(request: HttpRequest, bus: Bus, cluster: str, name: str, op: str) -> Any:
    """A machine, with everything on it."""
    _known(op, RUNNING)
    await bus.act(cluster, item("HostOp", host=name, op=op))
    return await bus.query_json(cluster, "processes")


@call("POST")
async def process(request: HttpRequest, bus: Bus, cluster: str, name: str, op: str) -> Any:
    """One process."""
    _known(op, RUNNING)
    await bus.act(cluster, item("ProcessOp", process=name, op=op))
    return await bus.query_json(cluster, "processes")


@call("POST")
async def network(request: HttpRequest, bus: Bus, cluster: str, op: str) -> Any:
    """Partition, heal, or change a link."""
    match op:
        case "partition":
            act = item("PartitionIn", groups=body_as(request, PartitionBody).groups)
        case "heal":
            body_as(request, NoBody)
            act = item("HealIn")
        case "link":
            link = body_as(request, LinkBody)
            act = item("LinkIn", a=link.a, b=link.b, latency_ms=link.latency_ms, loss=link.loss, one_way=link.one_way)
        case "cuts":
            cuts = body_as(request, CutsBody)
            act = item("CutsIn", cut=cuts.cut, mend=cuts.mend, slow=cuts.slow, slow_ms=cuts.slow_ms)
        case _:
            raise Failed(404, f"the network can partition, heal, link and cuts, not {op}")
    await bus.act(cluster, act)
    return {}


@call("POST")
async def message(request: HttpRequest, bus: Bus, cluster: str, sequence: int, op: str) -> Any:
    """What is on its way (``sequence`` as ``flights`` and ``etcd/raft/next`` say it) is lost, arrives now, or takes longer; what may happen next then."""
    _known(op, MESSAGE)
    if op == "delay":
        act = item("DelayIn", sequence=sequence, micros=body_as(request, DelayBody).micros)
    else:
        body_as(request, NoBody)
        act = item("DropIn" if op == "drop" else "DeliverIn", sequence=sequence)
    await bus.act(cluster, act)
    return await bus.query_json(cluster, "raft_next")


@call("GET")
async def raft(request: HttpRequest, bus: Bus, cluster: str, what: str) -> Any:
    """Raft looked at: ``tables`` it runs by, ``invariants`` with their evidence, ``next`` events that are legal now."""
    _known(what, RAFT)
    return await ask(request, bus, cluster, f"raft_{what}")


@call("POST")
async def timers(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Let the election timers of some members run out at one instant."""
    body = body_as(request, AlignBody)
    await bus.act(cluster, item("AlignIn", members=body.members, micros=body.micros))
    return await bus.query_json(cluster, "members")


@call("GET", "POST")
async def ops(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Recorded operations on etcd: begin one (``{id}`` at once), or ask which are done."""
    if request.method == "GET":
        pending = request.GET.get("pending") in ("1", "true")
        return await bus.query_json(cluster, "ops", done_since=number(request, "done_since", 0), pending=pending)
    body = body_as(request, EtcdOpBody)
    if body.f in ("put", "cas") and body.value is None:
        raise Failed(422, f"{body.f} needs a value")
    name = bus.new_call()
    act = item(
        "EtcdOpIn", call=name, member=body.member, f=body.f, key=body.key, value=body.value, expect=body.expect,
        linearizable=body.linearizable,
    )  # fmt: skip
    bus.send(cluster, "input", act)
    return {"id": name}


def _known(op: str, ops: tuple[str, ...]) -> None:
    if op not in ops:
        raise Failed(404, f"{op} is none of {', '.join(ops)}")
