"""One request on its way through the server: everything remembered about it, as plain data.

A request that must wait (for etcd, for the cache to catch up, for a kubelet) leaves a ``Call`` behind: the name of the
function to go on with and its arguments. ``continuation`` gives a function such a name.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from cluster.api.scheme import Resource, Subresource
from cluster.apiserver.request_info import RequestInfo
from cluster.apiserver.user import User
from cluster.sim import Outbox
from cluster.sim.clock import MICROSECOND
from cluster.trace.notes import Outcome, Stage
from cluster.wire.http import HttpRequest

if TYPE_CHECKING:
    from cluster.apiserver.authorization import Attributes

COST = {name: micros * MICROSECOND for name, micros in {
    "tls": 40, "authentication": 25, "audit": 5, "impersonation": 5, "priority-and-fairness": 8, "authorization": 20,
    "decoding": 60, "defaulting": 20, "strategy": 15, "validation": 40, "response": 50,
}.items()}  # fmt: skip
"""Virtual time a stage takes; small beside the network's and the disk's."""
ADMISSION_COST = 10 * MICROSECOND
OTHER_COST = 10 * MICROSECOND


class Flow(Struct, frozen=True):
    """Where priority and fairness put a request."""

    schema: str
    level: str
    schema_uid: str = ""
    level_uid: str = ""


class Accept(Struct, frozen=True):
    """What the client wants to read: ``media`` json or yaml, ``form`` "", Table or PartialObjectMetadata(List)."""

    media: str = "application/json"
    form: str = ""
    form_version: str = "v1"
    include: str = "Metadata"
    pretty: bool = False


class Job(Struct):
    """``began`` and ``at`` in virtual ns: when it arrived, and how far its stages have got."""

    id: int
    src: str
    parent: int
    request: HttpRequest
    info: RequestInfo
    query: dict[str, str]
    server: str
    began: int
    at: int
    outside: bool
    audit_id: str = ""
    user: User = User("")
    accept: Accept = Accept()
    flow: Flow | None = None
    seat: bool = False
    resource: Resource | None = None
    subresource: Subresource | None = None
    doc: Any = None
    """The decoded body, then the object as the pipeline changes it."""
    warnings: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    """What a handler remembers across a wait."""
    asked_at: int = 0
    """When the question to etcd that is out was sent."""
    asks: "Attributes | None" = None
    """What authorization is asked about it (by the user it acts as)."""
    wrote: bool = False
    """A write has been sent to etcd: from here on a broken connection leaves the outcome unknown."""
    streaming: bool = False

    def stage(
        self,
        out: Outbox,
        name: str,
        outcome: Outcome,
        reason: str,
        source: str = "",
        detail: Any = None,
        before: Any = None,
        after: Any = None,
        cost: int = -1,
    ) -> None:
        """Note a stage that starts where the last ended and takes its small constant time."""
        start = self.at
        if cost < 0:
            cost = COST.get(name, OTHER_COST)
        self.at = end = start + cost
        out.note(Stage(self.id, name, self.server, start, end, outcome, reason, detail, before, after, source))


class Call(Struct):
    """A question to etcd (or another process) whose answer some job waits for."""

    job: int
    then: str
    args: tuple[Any, ...]
    sent: int
    message: Any
    member: str
    tries: int = 0
    """At how many other endpoints it was asked, too."""


CONTINUATIONS: dict[str, Callable[..., None]] = {}


def continuation(function: Callable[..., None]) -> Callable[..., None]:
    """Make ``function`` nameable, so that a waiting job can say where it goes on."""
    CONTINUATIONS[name_of(function)] = function
    return function


def name_of(function: Callable[..., Any]) -> str:
    """``storage.created``: the module's last part and the function's name."""
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
