"""Where the world is to stand still: breakpoints on stages, and a condition to run until.

``Stops`` is an observer of the world, and only while something is armed: it hands everything on to the recorder and looks at each stage
that is noted. When one matches, or the condition has become true, the world's loop ends after the delivery that was being worked on
(``World.halt``), so that stopping changes nothing that happens: the same deliveries in the same order, only later by the wall clock.

One delivery may compute several stages (an apiserver walks all its filters in one step). Each match is therefore a ``Hit`` that says how
many stages of its request had been noted; ``shown`` cuts the request's trace there for every read model, the answer being still on its way.

A breakpoint's ``stage`` is a stage's name, or what stands before its slash (``mutating-admission`` means every plug-in). Empty conditions
mean any. Requests that no client outside caused (leases, status updates) count only with ``system``, or when ``user`` names one of
the system's own.

In → ``Breakpoint``s, a goal as the control API writes it (``{cel}`` or ``{pick}``); out → ``hits``, ``reached``. Errors: ``ValueError`` with one sentence
for what makes no sense, ``KeyError`` for a thing that isn't there.
"""

import re
from collections.abc import Callable
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import replace

from cluster.api import scheme
from cluster.apiserver import admission, protobuf
from cluster.sim import World
from cluster.snapshot.cel import Expression, Refused, Unsettled
from cluster.snapshot.objects import Objects, pod_shape
from cluster.trace.notes import RequestBegan, Stage
from cluster.trace.recorder import Memory, Recorder, Trace

LIMIT = 64
"""Breakpoints of one cluster."""
PLAIN = (
    "tls", "authentication", "audit", "impersonation", "priority-and-fairness", "authorization", "decoding", "defaulting",
    "strategy", "validation", "etcd", "propose", "commit", "apply", "response",
)  # fmt: skip
PREFIXES = ("mutating-admission", "validating-admission", "append", "watch")
"""Stages whose names go on after a slash: the plug-in, the member, the watcher."""
STAGES = (
    "tls", "authentication", "audit", "impersonation", "priority-and-fairness", "authorization", "decoding", "defaulting",
    "mutating-admission", "strategy", "validation", "validating-admission", "etcd", "propose", "append", "commit", "apply",
    "response", "watch",
)  # fmt: skip
"""All of them, in the real server's order."""
UNNAMED = ("tls",)
"""Stages at which nobody knows yet who asks."""
WATCHER = re.compile(r"[A-Za-z0-9:._/-]{1,120}")


class Breakpoint(Struct, frozen=True):
    """Stop when a request reaches ``stage`` and these hold. ``verb`` as RBAC has it, or an HTTP method; ``resource`` a plural,
    ``pods/binding`` or ``*``."""

    id: int
    stage: str
    verb: str = ""
    resource: str = ""
    namespace: str = ""
    user: str = ""
    name: str = ""
    system: bool = False


class Hit(Struct, frozen=True):
    """A request reached a breakpoint: its stage was the ``count``-th noted, at ``now`` (ns)."""

    breakpoint: int
    request: int
    stage: str
    component: str
    count: int
    now: int


class Stops:
    """See the module. Not part of a checkpoint: whoever runs the world arms it anew."""

    def __init__(self, world: World, recorder: Recorder, objects: Objects) -> None:
        self.world, self.recorder, self.objects = world, recorder, objects
        self.sent, self.dropped = recorder.sent, recorder.dropped
        self.breakpoints: tuple[Breakpoint, ...] = ()
        self._by_stage: dict[str, list[Breakpoint]] = {}
        self.goal: Goal | None = None
        self.hits: list[Hit] = []
        """Of the delivery after which the world stopped; taken away by ``take``."""
        self.reached: dict[str, Any] | None = None
        """What made the goal true."""
        self.shown: tuple[int, int] | None = None
        """(request, how many of its stages the read models show)."""

    # -- arming ----------------------------------------------------------------------------------------------------

    def arm(self, breakpoints: tuple[Breakpoint, ...]) -> None:
        """From now on these, and no others."""
        self.breakpoints = breakpoints
        self._by_stage = {}
        for point in breakpoints:
            self._by_stage.setdefault(point.stage.partition("/")[0], []).append(point)
        self._attach()

    def seek(self, goal: "dict[str, Any] | None") -> None:
        """From now on stop when ``goal`` is true; None: no more. ValueError, KeyError."""
        self.reached = None
        self.goal = None if goal is None else goal_of(goal, self)
        self._attach()
        if self.goal is not None:
            self.reached = self.goal.check(self)

    def take(self) -> list[Hit]:
        """The hits; the world may go on."""
        hits, self.hits = self.hits, []
        return hits

    @property
    def fired(self) -> bool:
        """Something asks to stand still."""
        return bool(self.hits) or self.reached is not None

    def _attach(self) -> None:
        armed = bool(self.breakpoints) or self.goal is not None
        self.world.observer = self if armed else self.recorder
        self.world.halt = self._halt if armed else None

    def _halt(self) -> bool:
        if self.goal is not None and self.reached is None:
            self.reached = self.goal.check(self)
        return self.fired

    # -- Observer --------------------------------------------------------------------------------------------------

    def note(self, now: int, actor: str, cause: int, note: Any) -> None:
        """Hand it on; a stage is compared with the breakpoints."""
        self.recorder.note(now, actor, cause, note)
        if type(note) is Stage:
            points = self._by_stage.get(note.name.partition("/")[0])
            trace = self.recorder.memory.traces.get(note.request) if points else None
            if points and trace is not None:
                self._match(now, trace, note, points)

    def _match(self, now: int, trace: Trace, note: Stage, points: list[Breakpoint]) -> None:
        for point in points:
            if covers(point.stage, note.name) and self._meant(point, trace):
                hit = Hit(point.id, note.request, note.name, note.component, len(trace.stages), now)
                self.hits.append(hit)
                return  # one stop a stage, whoever asked first

    def _meant(self, point: Breakpoint, trace: Trace) -> bool:
        began = trace.began
        if point.verb and point.verb != began.verb and point.verb.upper() != began.method:
            return False
        if point.resource and not _same_resource(point.resource, began):
            return False
        if point.namespace and point.namespace != began.namespace:
            return False
        if point.name and point.name != name_of(began):
            return False
        if not (trace.outside or point.system or point.user.startswith("system:")):
            return False
        return not point.user or point.user == self.user_of(trace)

    def user_of(self, trace: Trace) -> str:
        """Whom the request acts for, as far as the server knows by now."""
        if trace.ended is not None:
            return trace.ended.user
        server = self.world.actors.get(trace.began.server)
        jobs = getattr(server.state, "jobs", None) if server is not None else None
        job = jobs.get(trace.began.request) if jobs else None
        return job.user.name if job is not None else ""

    # -- what the read models show ---------------------------------------------------------------------------------

    def memory(self) -> Memory:
        """What the recorder remembers, with the held request's trace cut where it is held."""
        memory = self.recorder.memory
        if self.shown is None or self.shown[0] not in memory.traces:
            return memory
        number, count = self.shown
        trace = memory.traces[number]
        cut = replace(trace, stages=trace.stages[:count], ended=None, end=0, held=True)
        recent = [frame for frame in memory.recent if frame.get("t") != "request" or frame.get("id") != number]
        return replace(memory, traces={**memory.traces, number: cut}, recent=recent)

    def noted(self, request: int) -> int:
        """How many stages were noted of a request."""
        trace = self.recorder.memory.traces.get(request)
        return len(trace.stages) if trace is not None else 0

    def stage_at(self, request: int, count: int) -> Stage | None:
        """The ``count``-th stage that was noted of a request."""
        trace = self.recorder.memory.traces.get(request)
        return trace.stages[count - 1] if trace is not None and 0 < count <= len(trace.stages) else None

    def row(self, request: int) -> dict[str, str]:
        """Who asks for what: user, method, path."""
        trace = self.recorder.memory.traces.get(request)
        if trace is None:
            return {"user": "", "method": "", "path": ""}
        began = trace.began
        user = self.user_of(trace)
        path = began.path + ("?" + began.query if began.query else "")
        return {"user": user, "method": began.method, "path": path, "userAgent": began.user_agent}


def covers(asked: str, stage: str) -> bool:
    """Whether the stage that was asked for is this one. ``watch/kube-scheduler`` means that of any host (``…-cp-1``)."""
    if asked == stage or stage.startswith(asked + "/"):
        return True
    return asked.startswith("watch/") and stage.startswith(asked + "-")


def _same_resource(asked: str, began: RequestBegan) -> bool:
    plural, _, sub = asked.partition("/")
    plural, _, group = plural.partition(".")
    if plural not in ("*", began.resource) or (group and group != began.group):
        return False
    return sub in ("*", began.subresource) or (asked == "*")


def name_of(began: RequestBegan) -> str:
    """The object's name: in the path, or, for a creation, in the body."""
    if began.name or began.verb != "create":
        return began.name
    body = began.body
    if isinstance(body, bytes):
        try:
            body = protobuf.decode(body) if body.startswith(b"k8s\0") else orjson.loads(body)
        except ValueError:
            return ""
    meta = body.get("metadata") if isinstance(body, dict) else None
    return str(meta.get("name") or "") if isinstance(meta, dict) else ""


def breakpoint_of(number: int, asked: dict[str, Any], world: World) -> Breakpoint:
    """A breakpoint as the control API writes it, checked. ValueError."""
    point = Breakpoint(number, **asked)
    stage, slash, suffix = point.stage.partition("/")
    if stage not in STAGES:
        raise ValueError(f"there is no stage {stage!r}: the stages are {', '.join(STAGES)}")
    if slash and stage not in PREFIXES:
        raise ValueError(f"the stage {stage} has nothing after a slash")
    if slash and not suffix:
        raise ValueError(f"say which {stage} after the slash, or leave the slash out for all")
    _check_suffix(stage, suffix, world)
    if point.user and stage in UNNAMED:
        raise ValueError(f"at {stage} nobody knows the user yet: stop at authentication or later")
    return point


def _check_suffix(stage: str, suffix: str, world: World) -> None:
    if not suffix:
        return
    if stage == "append":
        members = [slot.name for slot in world.state.slots.values() if slot.kind == "etcd"]
        if suffix not in members:
            raise ValueError(f"there is no member {suffix!r} here: the members are {', '.join(members)}")
    elif stage == "watch":
        if not WATCHER.fullmatch(suffix):
            raise ValueError("a watcher's name has letters, digits and : . _ / - only")
    else:
        kind = "MUTATES" if stage == "mutating-admission" else "VALIDATES"
        names = [plugin.NAME for plugin in admission.plugins() if getattr(plugin, kind)]
        if suffix not in names:
            raise ValueError(f"no plug-in {suffix!r} does {stage}: {', '.join(names)} do")


# -- goals ---------------------------------------------------------------------------------------------------------


class Goal:
    """Something to run until. ``trouble``: why it can't be told just now."""

    text = ""
    trouble = ""

    def check(self, stops: Stops) -> dict[str, Any] | None:
        """What made it true; None while it isn't. Called after every delivery: cheap unless something changed."""
        raise NotImplementedError


class OverObjects(Goal):
    """A goal that can only become true by a commit."""

    tables: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.revision = -1
        self.members: list[str] = []
        self.processes = -1

    def check(self, stops: Stops) -> dict[str, Any] | None:
        if self._newest(stops.world) == self.revision:
            return None
        objects = stops.objects.follow(stops.world)
        self.revision = objects.revision
        self.trouble = ""
        if not self.holds(objects):
            return None
        return {"revision": self.revision, **self._last(objects)}

    def holds(self, objects: Objects) -> bool:
        raise NotImplementedError

    def _newest(self, world: World) -> int:
        slots = world.state.slots
        if len(slots) != self.processes:
            self.processes = len(slots)
            self.members = [name for name, slot in slots.items() if slot.kind == "etcd"]
        actors = world.actors
        return max((actors[name].state.app.store.revision for name in self.members if name in actors), default=0)

    def _last(self, objects: Objects) -> dict[str, Any]:
        """The object among those it looks at that changed last."""
        best: tuple[int, str, str] = (0, "", "")
        for table in self.tables:
            for name, doc in objects.get(table).items():
                written = int((doc.get("metadata") or {}).get("resourceVersion") or 0)
                best = max(best, (written, table, name))
        if best[0] != self.revision:
            return {}
        namespace, _, name = best[2].rpartition("/")
        return {"resource": best[1], "namespace": namespace, "name": name}


class Cel(OverObjects):
    """``{"cel": text}``."""

    def __init__(self, text: str, is_plural: Callable[[str], bool]) -> None:
        super().__init__()
        self.text = text
        self.expression = Expression(text, is_plural)
        self.tables = self.expression.tables

    def holds(self, objects: Objects) -> bool:
        try:
            return self.expression.holds(objects)
        except (Unsettled, Refused) as error:
            self.trouble = str(error)
            return False


class Object(OverObjects):
    """One object: that it exists (or is ``gone``), its ``phase``, or the value of a ``field`` (``is``; without it: that the field is there)."""

    def __init__(self, pick: dict[str, Any], is_plural: Callable[[str], bool]) -> None:
        super().__init__()
        self.pick = pick
        self.table = str(pick["resource"])
        if not is_plural(self.table):
            raise ValueError(f"there is no resource {self.table!r}; name a plural, such as pods")
        name = str(pick.get("name") or "")
        if not name:
            raise ValueError("a picked object needs a name")
        namespace = str(pick.get("namespace") or "")
        self.key = f"{namespace}/{name}" if namespace else name
        self.tables = (self.table,)
        self.path = [part for part in str(pick.get("field") or "").split(".") if part]
        self.text = f"{self.table} {self.key}"

    def holds(self, objects: Objects) -> bool:
        doc = objects.get(self.table).get(self.key)
        if self.pick.get("gone"):
            return doc is None
        if doc is None:
            return False
        phase = self.pick.get("phase")
        if phase and phase not in ((doc.get("status") or {}).get("phase"), self._shape(doc)):
            return False
        if self.path:
            value = _field(doc, self.path)
            return value == self.pick["is"] if "is" in self.pick else value is not None
        return True

    def _shape(self, doc: dict[str, Any]) -> str:
        return pod_shape(doc) if self.table == "pods" else ""


def _field(doc: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(doc, dict):
            doc = doc.get(part)
        elif isinstance(doc, list) and part.isdigit() and int(part) < len(doc):
            doc = doc[int(part)]
        else:
            return None
    return doc


class Answered(Goal):
    """``{"request": id}``: until it has its answer."""

    def __init__(self, request: int, memory: Memory) -> None:
        if request not in memory.traces:
            raise KeyError(f"request {request}")
        self.request = request
        self.text = f"request {request}"

    def check(self, stops: Stops) -> dict[str, Any] | None:
        trace = stops.recorder.memory.traces.get(self.request)
        if trace is None or trace.ended is None:
            return None
        return {"request": self.request, "code": trace.ended.code}


class Role(Goal):
    """``{"role": {"member": "m2", "is": "leader"}}``."""

    ROLES = ("leader", "follower", "candidate", "pre-candidate", "down")

    def __init__(self, pick: dict[str, Any], world: World) -> None:
        self.member, self.role = str(pick.get("member") or ""), str(pick.get("is") or "leader")
        slot = world.state.slots.get(self.member)
        if slot is None or slot.kind != "etcd":
            raise KeyError(f"member {self.member}")
        if self.role not in self.ROLES:
            raise ValueError(f"a member's role is one of {', '.join(self.ROLES)}")
        self.text = f"{self.member} {self.role}"

    def check(self, stops: Stops) -> dict[str, Any] | None:
        actor = stops.world.actors.get(self.member)
        role = "down" if actor is None else actor.state.raft.role
        return {"member": self.member, "role": role} if role == self.role else None


def goal_of(asked: dict[str, Any], stops: Stops) -> Goal:
    """What ``{cel?, pick?}`` of the control API means. ValueError, KeyError."""
    plurals = plurals_of(stops.objects.follow(stops.world))
    is_plural = plurals.__contains__
    cel, pick = asked.get("cel"), asked.get("pick")
    if cel and pick:
        raise ValueError("say either cel or pick, not both")
    if cel:
        return Cel(cel, is_plural)
    if not pick:
        raise ValueError("say until when: cel, an expression over objects, or pick, a thing")
    if "request" in pick:
        return Answered(int(pick["request"]), stops.recorder.memory)
    if "role" in pick:
        return Role(pick["role"], stops.world)
    if "resource" in pick:
        return Object(pick, is_plural)
    raise ValueError("a pick names a resource (with a name), a request or a role")


def plurals_of(objects: Objects) -> dict[str, None]:
    """Every plural that may be named: what is stored by default, custom resources, and whatever is there."""
    names = {resource.plural: None for resource in scheme.builtin().resources() if resource.prefix}
    for doc in objects.get("customresourcedefinitions").values():
        names[str(((doc.get("spec") or {}).get("names") or {}).get("plural") or "")] = None
    return names | dict.fromkeys(objects.by_resource)
