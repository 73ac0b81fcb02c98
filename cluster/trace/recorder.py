"""The recorder files notes by request, and keeps what a viewer may ask for later.

In → notes and envelopes as the world's ``Observer``; out → ``Trace`` records (one a request, linked by cause), and
frames for the feed (``drain``). It only watches: taking it away changes nothing that happens.

Bounded: the newest ``KEEP_CAUSED`` requests that descend from a client outside and, apart from them, the newest
``KEEP_SYSTEM`` others (leases, leader election), so that idle traffic never pushes out what somebody typed. Requests with large
bodies are kept as long as all bodies together are within ``KEEP_BYTES``.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from cluster.trace.codec import because, flight_frame, request_frame
from cluster.trace.notes import Effect, Raft, RequestBegan, RequestEnded, Stage
from cluster.trace.revisions import Revisions

KEEP_CAUSED = 1500
KEEP_SYSTEM = 400
KEEP_BYTES = 32 << 20
"""Bytes of bodies of the requests kept."""
MAX_FLIGHTS = 120
"""Messages in flight reported per drain; a viewer can follow two dozen (identity.md), the rest is counted."""
MAX_SENT = 2000
"""Departures remembered before those that have arrived are forgotten."""
MAX_EFFECTS = 200
"""Effects and children kept per trace."""


class Trace(Struct):
    """One request as it was seen: its stages in order, and what it caused."""

    began: RequestBegan
    start: int
    outside: bool
    """It, or the request it descends from, came from a client with an address of its own, not from a process of the cluster."""
    stages: list[Stage] = field(default_factory=list)
    ended: RequestEnded | None = None
    end: int = 0
    children: list[int] = field(default_factory=list)
    effects: list[tuple[int, str, Effect]] = field(default_factory=list)
    held: bool = False
    """It stands at a breakpoint: what is noted here was reached, whatever small time its stages take."""


class Memory(Struct):
    """All that the recorder remembers."""

    traces: dict[int, Trace] = field(default_factory=dict)
    caused: deque[int] = field(default_factory=deque)
    system: deque[int] = field(default_factory=deque)
    body_bytes: int = 0
    terms: list[tuple[int, int, str]] = field(default_factory=list)
    """(instant, term, leader) of every leader seen."""
    recent: list[dict[str, Any]] = field(default_factory=list)
    """The newest event frames, for a page that opens now."""
    revisions: Revisions = field(default_factory=Revisions)
    """What objects were."""
    sent: dict[tuple[int, str, str], int] = field(default_factory=dict)
    """When what is on its way left: (arrival, source, destination) → instant. Only while somebody watches."""


class Recorder:
    """An ``Observer`` of one world. ``memory`` is plain data and travels in checkpoints."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = memory if memory is not None else Memory()
        self.frames: list[dict[str, Any]] = []
        self.flights: list[tuple[int, int, str, str, Any, int, str]] = []
        self.skipped_flights = 0
        self.watching = True
        self.staged = 0
        """Stages filed so far."""
        self.events: Callable[[], int] | None = None
        """How many events were delivered; set by the lab, told in every frame as ``e``: the exact place to go back to."""
        self.sent_limit = MAX_SENT

    # -- Observer -------------------------------------------------------------------------------------------------

    def note(self, now: int, actor: str, cause: int, note: Any) -> None:
        kind = type(note)
        if kind is Stage:
            trace = self.memory.traces.get(note.request)
            if trace is not None:
                trace.stages.append(note)
                self.staged += 1
        elif kind is RequestBegan:
            self._began(now, note)
        elif kind is RequestEnded:
            self._ended(now, note)
        elif kind is Effect:
            self._effect(now, actor, cause, note)
        elif kind is Raft:
            self._raft(now, note)

    def sent(self, now: int, arrival: int, src: str, dst: str, message: Any, cause: int) -> None:
        if self.watching:
            under_way = self.memory.sent
            under_way[(arrival, src, dst)] = now
            if len(under_way) > self.sent_limit:
                self.memory.sent = {key: left for key, left in under_way.items() if key[0] > now}
                self.sent_limit = max(MAX_SENT, 2 * len(self.memory.sent))
            if len(self.flights) < MAX_FLIGHTS:
                self.flights.append((now, arrival, src, dst, message, cause, ""))
            else:
                self.skipped_flights += 1

    def dropped(self, now: int, src: str, dst: str, message: Any, cause: int, why: str) -> None:
        if self.watching and len(self.flights) < MAX_FLIGHTS:
            self.flights.append((now, now, src, dst, message, cause, why))

    # -- filing ---------------------------------------------------------------------------------------------------

    def _began(self, now: int, note: RequestBegan) -> None:
        memory = self.memory
        parent = memory.traces.get(note.parent)
        outside = ":" in note.client or (parent is not None and parent.outside)
        memory.traces[note.request] = Trace(note, now, outside)
        ring, keep = (memory.caused, KEEP_CAUSED) if outside else (memory.system, KEEP_SYSTEM)
        ring.append(note.request)
        memory.body_bytes += _weight(note)
        while len(ring) > keep or (memory.body_bytes > KEEP_BYTES and len(ring) > 1):
            oldest = memory.traces.pop(ring.popleft(), None)
            memory.body_bytes -= _weight(oldest.began) if oldest is not None else 0
        if parent is not None and len(parent.children) < MAX_EFFECTS:
            parent.children.append(note.request)

    def _ended(self, now: int, note: RequestEnded) -> None:
        trace = self.memory.traces.get(note.request)
        if trace is None:
            return
        # The response stage is noted before its last nanoseconds are over: an answer is out when that stage ends.
        trace.ended, trace.end = note, max(now, trace.stages[-1].end if trace.stages else now)
        frame = request_frame(trace)
        frame["because"] = because(self.memory.traces.get(trace.began.parent))
        self._frame(frame)

    def _effect(self, now: int, actor: str, cause: int, note: Effect) -> None:
        trace = self.memory.traces.get(cause)
        if trace is not None and len(trace.effects) < MAX_EFFECTS:
            trace.effects.append((now, actor, note))
        self._frame(
            {
                "t": "effect",
                "atMicros": now // 1000,
                "component": actor,
                "kind": note.kind,
                "object": note.object,
                "text": note.text,
                "cause": cause,
            }
        )

    def _raft(self, now: int, note: Raft) -> None:
        terms = self.memory.terms
        if note.role == "leader" and (not terms or terms[-1][1:] != (note.term, note.member)):
            terms.append((now, note.term, note.member))
            del terms[:-500]
        self._frame(
            {
                "t": "raft",
                "atMicros": now // 1000,
                "member": note.member,
                "role": note.role,
                "term": note.term,
                "votedFor": note.voted_for,
                "lead": note.lead,
                "commit": note.commit,
                "applied": note.applied,
                "lastIndex": note.last_index,
            }
        )

    def _frame(self, frame: dict[str, Any]) -> None:
        if self.events is not None:
            frame["e"] = self.events()
        self.frames.append(frame)
        if len(self.frames) > 2000:  # nobody drains: keep the newest
            del self.frames[:1000]

    def add_frame(self, frame: dict[str, Any]) -> None:
        """A frame made by somebody else who watches (object changes, faults)."""
        self._frame(frame)

    def drain(self, hosts: Any) -> list[dict[str, Any]]:
        """Everything new since the last drain, as JSON-able frames in order of time. ``hosts``: a mapping, process → host."""
        frames, self.frames = self.frames, []
        recent = self.memory.recent
        recent.extend(frames)
        del recent[:-300]
        flights = [flight_frame(flight, hosts) for flight in self.flights]
        self.flights = []
        if self.skipped_flights:
            flights.append({"t": "flights", "more": self.skipped_flights})
            self.skipped_flights = 0
        return frames + flights


def _weight(note: RequestBegan) -> int:
    """Bytes of a body from outside; documents of the cluster's own requests are shared with others and small."""
    return len(note.body) if isinstance(note.body, bytes) else 0
