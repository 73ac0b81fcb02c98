"""What a kubelet remembers of its pods: one ``PodRun`` each, one ``ContainerRun`` for every container. Plain data.

The pod's object is what the apiserver last said (``doc``); everything else is what this node made of it. Instants are virtual ns.
"""

from typing import Any

from msgspec import Struct, field

from cluster.clientgo import ClientState
from cluster.kubelet.programs import Program


class ContainerRun(Struct):
    """One container of a pod. ``state`` is a state of ``machine.CONTAINER``."""

    name: str
    kind: str
    """init, sidecar (an init container that restarts always), app or ephemeral."""
    state: str = "waiting"
    reason: str = ""
    """Why it waits: ErrImagePull, CrashLoopBackOff …; "" while it is being created."""
    message: str = ""
    container_id: str = ""
    restarts: int = 0
    attempts: int = 0
    """Containers created for it so far."""
    started_at: int = -1
    finished_at: int = -1
    exit_code: int = 0
    exit_reason: str = ""
    exit_message: str = ""
    last: dict[str, Any] | None = None
    """``lastState.terminated``."""
    crashes: int = 0
    pull_failures: int = 0
    pull_started: int = 0
    ready: bool = False
    started: bool = False
    program: Program | None = None
    previous: tuple[Program, int, int] | None = None
    """The program before the last restart, its start and its end: what ``logs --previous`` shows."""
    probes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Probe → (successes in a row, failures in a row)."""
    killed_by: str = ""
    """Why it is being stopped although the pod goes on: a liveness probe, a changed definition."""


class PodRun(Struct):
    """One pod on this node. ``state`` is a state of ``machine.POD``."""

    uid: str
    key: str
    doc: dict[str, Any]
    state: str = "new"
    containers: dict[str, ContainerRun] = field(default_factory=dict)
    start_time: int = -1
    ip: str = ""
    sandbox: bool = False
    conditions: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)
    """Type → (status, since, reason, message)."""
    reason: str = ""
    message: str = ""
    phase: str = "Pending"
    requests: dict[str, int] = field(default_factory=dict)
    """What it takes of the node, in nano-units."""
    data: dict[str, dict[str, str] | None] = field(default_factory=dict)
    """``configmaps/name`` and ``secrets/name`` → their data; None: there is no such object."""
    mount_failures: int = 0
    waiting_for: int = 0
    sent: dict[str, Any] | None = None
    """The status last accepted by the server."""
    sent_version: int = 0
    """The resourceVersion the server gave it: older objects that still arrive say nothing new."""
    deleting: bool = False
    failing: bool = False
    """Being stopped by its deadline; the object stays."""
    static: str = ""
    """The hash of its manifest, for a static pod."""


class LogStream(Struct):
    """Somebody follows a log. ``sent``: lines of the program's output already told."""

    client: str
    uid: str
    container: str
    sent: int
    stamped: bool
    attached: bool = False
    """By ``kubectl attach``: a stream with channels, which ends with a Status."""


class ExecSession(Struct):
    """A program that reads its standard input: a shell, line by line, or (``words``) a filter, at its end; ``line``: what came and was not yet read."""

    client: str
    uid: str
    container: str
    tty: bool
    line: str = ""
    words: list[str] = field(default_factory=list)
    main: bool = False
    """It is the container's own program, which somebody is attached to."""
    once: bool = True
    """Its input ends with this client (an exec's, or ``stdinOnce``)."""
    code: int = 0
    """Of the last command."""
    closed: bool = False
    """Its input has ended; it ends when it has run what came."""


class KubeletState(ClientState):
    """The process's memory."""

    pods: dict[str, PodRun] = field(default_factory=dict)
    """By uid; a static pod by its hash."""
    mirrors: dict[str, str] = field(default_factory=dict)
    """uid of a mirror pod → hash of its static pod."""
    images: dict[str, None] = field(default_factory=dict)
    """On the disk, in order of arrival."""
    used: dict[str, int] = field(default_factory=dict)
    """Requests of all admitted pods, nano-units."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Pod IP → uid."""
    next_address: int = 2
    machine_id: str = ""
    registered: bool = False
    announced: bool = False
    node: dict[str, Any] | None = None
    node_status: dict[str, Any] | None = None
    status_at: int = -1
    """When the node status was last sent."""
    ready: bool = False
    lease: dict[str, Any] | None = None
    started: int = 0
    streams: dict[int, LogStream] = field(default_factory=dict)
    sessions: dict[int, ExecSession] = field(default_factory=dict)
    execs: dict[int, Any] = field(default_factory=dict)
    """Request → a ``netexec.NetExec`` that runs."""
    forwards: dict[int, Any] = field(default_factory=dict)
    """Request → a ``forward.Forward``."""
    forward_calls: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Call to the kernel → (request, connection) that waits for it."""
    net_calls: dict[int, int] = field(default_factory=dict)
    """Call to the kernel → the exec that waits for it."""
    alive: dict[str, bool] = field(default_factory=dict)
    """Processes that are containers here, have said so, and haven't died since."""
