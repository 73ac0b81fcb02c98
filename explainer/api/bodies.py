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


class BreakpointBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """``POST breakpoints``: stop the clock when a request reaches ``stage`` and the conditions hold (empty: any).

    ``stage`` is a stage's name, with or without what follows its slash. ``verb`` as RBAC names it, or an HTTP method. ``resource`` a plural,
    ``pods/binding`` or ``*``. ``name`` the object's. ``system``: also requests that no client outside caused.
    """

    stage: Annotated[str, Meta(min_length=1, max_length=160)]
    verb: Annotated[str, Meta(max_length=40)] = ""
    resource: Annotated[str, Meta(max_length=160)] = ""
    namespace: Annotated[str, Meta(max_length=63)] = ""
    user: Annotated[str, Meta(max_length=253)] = ""
    name: Annotated[str, Meta(max_length=253)] = ""
    system: bool = False


class RolePick(Struct, frozen=True, forbid_unknown_fields=True, rename={"is_": "is"}):
    """An etcd member and the role it is to have."""

    member: Name
    is_: str = "leader"


class Pick(Struct, frozen=True, rename={"is_": "is"}, forbid_unknown_fields=True, omit_defaults=True):
    """Something on the screen: an object (there, ``gone``, in a ``phase``, with a ``field`` that ``is``), a ``request`` (answered), a ``role``."""

    resource: Annotated[str, Meta(max_length=160)] = ""
    namespace: Annotated[str, Meta(max_length=63)] = ""
    name: Annotated[str, Meta(max_length=253)] = ""
    phase: Annotated[str, Meta(max_length=40)] = ""
    field: Annotated[str, Meta(max_length=253)] = ""
    is_: bool | int | float | str | None = None
    gone: bool = False
    request: Annotated[int, Meta(ge=1)] | None = None
    role: RolePick | None = None


class UntilBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST clock/until``: run until ``cel`` (an expression over objects) or ``pick`` holds, at most so far; then paused."""

    cel: Annotated[str, Meta(max_length=500)] = ""
    pick: Pick | None = None
    limit_micros: Annotated[int, Meta(ge=0, le=86_400_000_000)] = 3_600_000_000


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


class DelayBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST messages/{sequence}/delay``: how much longer it takes."""

    micros: Annotated[int, Meta(ge=1, le=600_000_000)]


class CutsBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST network/cuts``: ways [from, to] that are cut, mended or made slow, in one act."""

    cut: Annotated[list[tuple[Name, Name]], Meta(max_length=400)] = []
    mend: Annotated[list[tuple[Name, Name]], Meta(max_length=400)] = []
    slow: Annotated[list[tuple[Name, Name]], Meta(max_length=400)] = []
    slow_ms: Annotated[float, Meta(ge=0, le=60_000)] = 0.0


class DiskBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST etcd/members/{m}/disk``: an fsync takes between these; null: as the cluster was made."""

    fsync_ms: tuple[Annotated[float, Meta(ge=0, le=60_000)], Annotated[float, Meta(ge=0, le=60_000)]] | None = None


class AlignBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST etcd/timers``: the election timers of these members run out so many micros from now, together."""

    members: Annotated[list[Name], Meta(min_length=1, max_length=32)]
    micros: Annotated[int, Meta(ge=1, le=3_600_000_000)]


class EtcdOpBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST etcd/ops``: one operation on a key, recorded."""

    member: Name
    f: Literal["put", "get", "delete", "cas"]
    key: str
    value: str | None = None
    expect: str | None = None
    linearizable: bool = True


class SnapshotBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST etcd/snapshots``: save one of ``member`` on its host; ``path`` is made up when it is left out."""

    member: Name
    path: Annotated[str, Meta(max_length=600)] = ""


class RestoreBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST etcd/restore``: the snapshot ``path`` of ``host`` becomes a new cluster of ``members`` (all whose hosts are up, when left out)."""

    host: Name
    path: Annotated[str, Meta(max_length=600)]
    members: tuple[Name, ...] = ()
    token: Annotated[str, Meta(min_length=1, max_length=80)] = "etcd-cluster"
    bump_revision: Annotated[int, Meta(ge=0, le=1 << 53)] = 0
    skip_hash_check: bool = False
    restart_control_plane: bool = True


class PacketBody(Struct, frozen=True, rename={"src": "from", "dst": "to"}, forbid_unknown_fields=True):
    """``POST packets``: pod ``ns/name``, node or address. ``mode``: as if the node's kube-proxy ran in that one."""

    src: Name
    dst: Name
    port: Annotated[int, Meta(ge=0, le=65535)] = 80
    protocol: Literal["tcp", "udp", "sctp", "TCP", "UDP", "SCTP"] = "tcp"
    node: str = ""
    mode: Literal["", "iptables", "nftables"] = ""


class ConsoleBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST console``: a line as typed."""

    session: Annotated[str, Meta(min_length=1, max_length=100)]
    line: Annotated[str, Meta(max_length=100_000)]


class CompleteBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST console/complete``: the line up to the cursor."""

    session: Annotated[str, Meta(min_length=1, max_length=100)]
    line: Annotated[str, Meta(max_length=4000)]


class InterruptBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST console/interrupt``: Ctrl-C."""

    session: Annotated[str, Meta(min_length=1, max_length=100)]


class PresenterBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``PUT presenter``: the page that the presenter shows, and the token of their window."""

    token: Annotated[str, Meta(min_length=8, max_length=64)]
    url: Annotated[str, Meta(max_length=2000)] = ""
    title: Annotated[str, Meta(max_length=200)] = ""


Moment = Annotated[str, Meta(pattern=r"^(e?[0-9]{1,18})?$")] | Annotated[int, Meta(ge=0, le=10**18)]
"""Virtual microseconds, or ``e`` and a number of events; empty: now."""


class SentMessage(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A message on its way, as frames of the feed tell of it (``flight``)."""

    src: Name
    dst: Name
    sent_micros: Annotated[int, Meta(ge=0)]
    kind: Name


class Without(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What did not happen: exactly one of these."""

    request: Annotated[int, Meta(ge=1)] | None = None
    input: Annotated[int, Meta(ge=1)] | None = None
    message: SentMessage | None = None


class ForkBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST fork``: a second cluster from that moment, paused; ``without`` one thing, run on to that moment."""

    name: Name
    at: Moment | None = None
    without: Without | None = None


class HistoryBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``PATCH history``: bytes that the history may take."""

    limit_bytes: Annotated[int, Meta(ge=1024 * 1024, le=4 * 1024 * 1024 * 1024)]


class HistoryStepBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST history/step``: by visible event, or by stage (of ``request``, or of any)."""

    direction: Literal["back", "forward"]
    at: Moment = ""
    by: Literal["event", "stage"] = "event"
    request: Annotated[int, Meta(ge=1)] | None = None


class BookmarkBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``POST bookmarks``: a moment (now, if ``at`` is left out) and what it is called."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    at: Moment = ""
