"""Acts on members of etcd: stop them, let them stand for election, add and remove them."""

from typing import Any

from cluster import topology
from cluster.lab.door import Door, UnknownName
from cluster.lab.inputs import MemberAddIn, MemberOp, MemberPromoteIn, MemberRemoveIn
from cluster.wire import etcd


def act(door: Door, item: MemberOp) -> None:
    """A laboratory act on a running member, or on its process."""
    process = door.member(item.member)
    if item.op == "campaign":
        door.world.post("outside:lab", process, etcd.Campaign())
    elif item.op == "transfer":
        door.world.post("outside:lab", process, etcd.TransferLeadership(door.member(item.to)))
    elif item.op == "snapshot":
        door.at_the_bench(process, etcd.SnapshotNow())
        door.tell_act(f"{process} snapshot")
    else:
        getattr(door.world, item.op)(process)
        door.tell_process(process)


def change(door: Door, item: MemberAddIn | MemberRemoveIn | MemberPromoteIn) -> None:
    """Ask the leader (or, if there is none, somebody) for a change of membership."""
    slots = door.world.state.slots
    running = [name for name in door.world.actors if slots[name].kind == "etcd"]
    leader = next((name for name in running if door.world.actors[name].status()["role"] == "leader"), "")
    if not running:
        door.answer_at_once(item.call, {"error": "no member of etcd runs"})
        return
    if isinstance(item, MemberAddIn):
        if item.name in slots:
            raise UnknownName(f"there is a process {item.name!r} already")
        number = door.expect(item.call)
        door.state.joining[number] = item
        url = (f"https://{topology.address_of_member(item.host or item.name)}:2380",)
        request: Any = etcd.MemberAddRequest(number, url, item.learner, item.name)
    else:
        id_ = slots[door.member(item.member)].config.id
        number = door.expect(item.call)
        kind = etcd.MemberRemoveRequest if isinstance(item, MemberRemoveIn) else etcd.MemberPromoteRequest
        request = kind(number, id_)
    door.world.post(f"outside:member/{number}", leader or running[0], request)


ACTS = {MemberOp: act, MemberAddIn: change, MemberRemoveIn: change, MemberPromoteIn: change}


def answered(door: Door, number: int, message: Any) -> None:
    """etcd's answer to the change ``number``: a member that was granted is made and started."""
    joining = door.state.joining.pop(number, None)
    if not isinstance(message, etcd.MemberResponse):
        why = message.message if isinstance(message, etcd.EtcdError) else "connection reset"
        door.answer(number, {"error": why, "done": True})
        return
    if joining is not None:
        assert message.member is not None
        topology.add_member(door.world, door.state.spec, joining.name, joining.host, message.member.id)
        door.world.start(joining.name)
        door.tell_process(joining.name)
    door.answer(number, {"members": [f"{member.id:x}" for member in message.members], "done": True})
