"""A tiny world behind the same door as ``cluster.lab``: a key-value store that answers after a few virtual milliseconds.

``POST /objects/<name>`` stores the body, ``GET /objects/<name>`` reads it, ``GET /objects?watch=1`` streams what is stored from now on.
A heartbeat ticks every 100 virtual ms, as etcd's would. It exists so that pacing, journal, recovery and gateways can be tested
in seconds and without Kubernetes.
"""

import heapq
import pickle
from hashlib import blake2b
from typing import Any

from msgspec import Struct

MS = 1_000_000


class HttpIn(Struct, frozen=True, tag=True):
    conn: str
    stream: int
    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    peer: dict[str, Any] = {}
    remote: str = ""


class HttpDataIn(Struct, frozen=True, tag=True):
    conn: str
    stream: int
    data: bytes
    channel: int = 0


class HttpCloseIn(Struct, frozen=True, tag=True):
    conn: str
    stream: int


class ConsoleIn(Struct, frozen=True, tag=True):
    session: str
    line: str
    call: str


class MemberOp(Struct, frozen=True, tag=True):
    member: str
    op: str
    to: str = ""


class EtcdGatewayIn(Struct, frozen=True, tag=True):
    call: str
    member: str
    path: str
    body: bytes = b"{}"


class DropIn(Struct, frozen=True, tag=True):
    sequence: int


class NothingIn(Struct, frozen=True, tag=True):
    ids: int = 0


Input = DropIn | NothingIn | HttpIn | HttpDataIn | HttpCloseIn | ConsoleIn | MemberOp | EtcdGatewayIn


class HttpOut(Struct, frozen=True, tag=True):
    conn: str
    stream: int
    code: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    end: bool
    request: int


class HttpDataOut(Struct, frozen=True, tag=True):
    conn: str
    stream: int
    data: bytes
    channel: int
    end: bool


class HttpResetOut(Struct, frozen=True, tag=True):
    conn: str
    stream: int
    error: str


class CallOut(Struct, frozen=True, tag=True):
    call: str
    doc: dict[str, Any]


class Drained(Struct):
    outputs: list[Any]
    frames: list[dict[str, Any]]


class UnknownName(Exception):
    pass


class ClusterSpec(Struct, frozen=True):
    name: str
    epoch: int
    pki: dict[str, bytes]
    seed: int = 1
    paused: bool = False
    server_url: str = ""


class NoStops:
    """Nothing ever stops this world."""

    fired, hits, goal, reached, shown = False, (), None, None, None

    def arm(self, points: Any) -> None:
        """There is nothing to compare with."""

    def noted(self, request: int) -> int:
        return 0

    def seek(self, goal: Any) -> None:
        if goal is not None:
            raise ValueError("this world has no objects")


def breakpoint_of(number: int, asked: dict[str, Any], world: Any) -> Any:
    raise ValueError("this world has no stages")


class Lab:
    stops = NoStops()

    def __init__(self, spec: ClusterSpec) -> None:
        self.spec = spec
        self.now = 0
        self.queue: list[tuple[int, int, str, Any]] = [(100 * MS, 0, "beat", None)]
        self.sequence = 1
        self.store: dict[str, bytes] = {}
        self.watchers: list[tuple[str, int]] = []
        self.outputs: list[Any] = []
        self.frames: list[dict[str, Any]] = []
        self.log = b""
        self.beats = 0
        self.asked: dict[int, int] = {}

    @staticmethod
    def start(spec: ClusterSpec) -> "Lab":
        return Lab(spec)

    def ready(self) -> bool:
        return self.now >= 500 * MS

    def next_at(self) -> int | None:
        return self.queue[0][0] if self.queue else None

    def _later(self, after: int, kind: str, what: Any) -> None:
        self.sequence += 1
        heapq.heappush(self.queue, (self.now + after, self.sequence, kind, what))

    def submit(self, item: Any) -> None:
        match item:
            case HttpIn():
                self._later(3 * MS, "http", item)
            case HttpCloseIn(conn, stream):
                self.watchers = [w for w in self.watchers if w != (conn, stream)]
            case HttpDataIn(conn, stream, data):
                self.outputs.append(HttpDataOut(conn, stream, data.upper(), 1, data == b"bye"))
            case ConsoleIn(_, line, call):
                self.outputs.append(CallOut(call, {"stdout": line + "\n", "stderr": "", "done": False}))
                self.outputs.append(CallOut(call, {"exitCode": 0, "requests": [], "done": True}))
            case MemberOp(member, op):
                if member != "m1":
                    raise UnknownName(f"there is no process {member!r} in this cluster")
                self.frames.append({"t": "process", "name": member, "op": op})
            case DropIn(sequence):
                if all(row[1] != sequence for row in self.queue):
                    raise UnknownName("that message is not on its way")
                self.queue = [row for row in self.queue if row[1] != sequence]
                heapq.heapify(self.queue)
            case NothingIn(ids):
                self.sequence += ids
            case EtcdGatewayIn(call, _, path, body):
                self.outputs.append(CallOut(call, {"status": 200, "body": path.encode() + body, "done": True}))

    def run_until(self, t: int, max_events: int = 1 << 62) -> int:
        done = 0
        while self.queue and self.queue[0][0] <= t:
            if done >= max_events:
                return done
            self.now, number, kind, what = heapq.heappop(self.queue)
            self.log = blake2b(self.log + f"{self.now}{kind}".encode()).digest()
            self._step(kind, what, number)
            done += 1
        self.now = max(self.now, t)
        return done

    def _step(self, kind: str, what: Any, number: int) -> None:
        if kind == "beat":
            self.beats += 1
            self._later(100 * MS, "beat", None)
            self.frames.append({"t": "raft", "beat": self.beats})
            return
        self.asked[number] = self.now
        self.frames.append({"t": "request", "id": number, "path": what.path})
        where = (what.conn, what.stream)
        code, body, end = 200, b"", True
        if what.path == "/bug":
            raise RuntimeError("a bug in the world")
        if what.path == "/boom":
            self.outputs.append(HttpResetOut(*where, "connection reset by peer"))
            return
        if what.path == "/exec":
            code, end = 101, False
        elif what.method == "POST":
            code, body = 201, what.body
            self.store[what.path] = what.body
            for watcher in self.watchers:
                line = what.path.encode() + (what.body if "echo=1" in what.query else b"") + b"\n"
                self.outputs.append(HttpDataOut(*watcher, line, -1, False))
        elif "watch=1" in what.query:
            end = False
            self.watchers.append(where)
        elif what.path == "/echo":
            body = repr((what.method, what.path, what.query, what.headers, what.peer, len(what.body))).encode()
        elif what.path == "/list":
            body = b"\n".join(name.encode() for name in self.store)
        elif what.path in self.store:
            body = self.store[what.path]
        else:
            code = 404
        self.outputs.append(HttpOut(*where, code, (("content-type", "text/plain"),), body, end, number))

    def drain(self) -> Drained:
        outputs, self.outputs = self.outputs, []
        frames, self.frames = self.frames, []
        return Drained(outputs, frames)

    def query(self, view: str, **args: Any) -> Any:
        if view == "map":
            return {"cluster": self.spec.name, "nowMicros": self.now // 1000, "hosts": [], "objects": len(self.store)}
        if view == "members":
            return []
        if view == "store":
            return {name: body.decode() for name, body in self.store.items()}
        if view == "requests":
            return [{"id": number, "startMicros": at // 1000} for number, at in self.asked.items()]
        if view == "request":
            return {"id": args["id"], "startMicros": self.asked[args["id"]] // 1000, "client": "1.2.3.4:5"}
        if view == "echo":
            return args
        raise KeyError(view)

    def watched(self, by_anyone: bool) -> None:
        """It tells everything always."""

    def glimpse(self) -> list[dict[str, Any]]:
        frames, self.frames = self.frames, []
        return frames

    def stages(self, request: int = 0) -> int:
        return len(self.asked) if not request else int(request in self.asked)

    def last_id(self) -> int:
        return self.sequence

    def on_its_way(self, src: str, dst: str, kind: str) -> list[int]:
        return sorted(row[1] for row in self.queue if row[2] == kind)

    def documents(self) -> dict[str, dict[str, dict[str, Any]]]:
        return {"objects": {name: {"body": body.decode()} for name, body in self.store.items()}}

    def revision(self) -> int:
        return len(self.store)

    def digest(self) -> str:
        return self.log.hex()

    def checkpoint(self) -> bytes:
        return pickle.dumps(self)

    @staticmethod
    def restore(data: bytes) -> "Lab":
        return pickle.loads(data)
