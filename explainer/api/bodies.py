"""The shapes of request bodies, camelCase in JSON. They are also where ``openapi.py`` reads them from."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Name = Annotated[str, Meta(min_length=1, max_length=253)]


class ClockBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``PATCH clock``. Rate is virtual seconds per second."""

    rate: Annotated[float, Meta(ge=0.001, le=1000)] | Literal["max"] | None = None
    paused: bool | None = None


class RunBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST clock/run``: exactly so far, then paused."""

    micros: Annotated[int, Meta(ge=0, le=86_400_000_000 * 365)]


class StepBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST clock/step``: to the next stage of that request, else to the next visible event."""

    request: Annotated[int, Meta(ge=0)] | None = None


class TransferBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST etcd/members/{m}/transfer``."""

    to: Name


class MemberBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST etcd/members``: a new member (a process of this name) on ``host``, or on one of its own."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
    host: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9-]{0,40})?$")] = ""
    learner: bool = False


class PartitionBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST network/partition``: who hears whom. A place in no group is alone."""

    groups: list[list[Name]]


class NoBody(Struct, frozen=True, rename="camel"):
    """Nothing is needed."""


class LinkBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST network/link``: null is the default again. Loss is a probability; 1 cuts the link."""

    a: Name
    b: Name
    latency_ms: Annotated[float, Meta(ge=0, le=600_000)] | None = None
    loss: Annotated[float, Meta(ge=0, le=1)] | None = None
    one_way: bool = False


class EtcdOpBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST etcd/ops``: one operation on a key, recorded."""

    member: Name
    f: Literal["put", "get", "delete", "cas"]
    key: str
    value: str | None = None
    expect: str | None = None
    linearizable: bool = True


class PacketBody(Struct, frozen=True, rename={"src": "from", "dst": "to"}, forbid_unknown_fields=True):
    """``POST packets``: pod ``ns/name``, node or address."""

    src: Name
    dst: Name
    port: Annotated[int, Meta(ge=0, le=65535)] = 80
    protocol: Literal["tcp", "udp", "sctp", "TCP", "UDP", "SCTP"] = "tcp"
    node: str = ""


class ConsoleBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST console``: a line as typed."""

    session: Annotated[str, Meta(min_length=1, max_length=100)]
    line: Annotated[str, Meta(max_length=100_000)]


class InterruptBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST console/interrupt``: Ctrl-C."""

    session: Annotated[str, Meta(min_length=1, max_length=100)]


class ForkBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST fork``: a second cluster from this instant, paused."""

    name: Name
    at: int | None = None
