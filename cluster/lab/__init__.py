"""The one door into the world: start a cluster, hand it inputs, let time pass, take out what happened.

In → ``Input`` values (the whole journal of a cluster is a list of them with their instants); out → ``Drained``: answers
for clients outside and JSON-able frames for onlookers. The same spec, seed and inputs at the same instants give the
same answers, the same frames and the same ``digest``, always.

Everything a client sends becomes one envelope from an ``outside:…`` address to the balancer (or to the console, or to a member of
etcd); what comes back to that address leaves through ``drain``. Faults and laboratory acts go straight to the physics.

Read ``inputs`` and ``outputs`` first, then ``lab``; ``door`` is what the acts on a world share.
"""

from cluster.lab.door import UnknownName
from cluster.lab.inputs import (
    AlignIn,
    ConsoleIn,
    ConsoleInterruptIn,
    CutsIn,
    DelayIn,
    DeliverIn,
    DiskIn,
    DropIn,
    Entry,
    EtcdGatewayIn,
    EtcdOpIn,
    EtcdWatchIn,
    HealIn,
    HostOp,
    HttpCloseIn,
    HttpDataIn,
    HttpIn,
    Input,
    LinkIn,
    MemberAddIn,
    MemberOp,
    MemberPromoteIn,
    MemberRemoveIn,
    NothingIn,
    PacketIn,
    PartitionIn,
    ProcessOp,
    RestoreIn,
    SnapshotFileIn,
    SnapshotIn,
    SnapshotRemoveIn,
)
from cluster.lab.lab import Lab
from cluster.lab.outputs import CallOut, Drained, HttpDataOut, HttpOut, HttpResetOut, Output
from cluster.snapshot.stops import breakpoint_of
from cluster.topology import ClusterSpec, Pki

__all__ = [
    "AlignIn",
    "CallOut",
    "ClusterSpec",
    "ConsoleIn",
    "ConsoleInterruptIn",
    "CutsIn",
    "DelayIn",
    "DeliverIn",
    "DiskIn",
    "Drained",
    "DropIn",
    "Entry",
    "EtcdGatewayIn",
    "EtcdOpIn",
    "EtcdWatchIn",
    "HealIn",
    "HostOp",
    "HttpCloseIn",
    "HttpDataIn",
    "HttpDataOut",
    "HttpIn",
    "HttpOut",
    "HttpResetOut",
    "Input",
    "Lab",
    "LinkIn",
    "MemberAddIn",
    "MemberOp",
    "MemberPromoteIn",
    "MemberRemoveIn",
    "NothingIn",
    "Output",
    "PacketIn",
    "PartitionIn",
    "Pki",
    "ProcessOp",
    "RestoreIn",
    "SnapshotFileIn",
    "SnapshotIn",
    "SnapshotRemoveIn",
    "UnknownName",
    "breakpoint_of",
]
