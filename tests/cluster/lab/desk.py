"""A desk in front of a cluster: ask it over HTTP as kubectl would, without any network or process of its own."""

from functools import cache

import orjson

from cluster.lab import ClusterSpec, ConsoleIn, HttpCloseIn, HttpDataOut, HttpIn, HttpOut, HttpResetOut, Lab, Pki
from cluster.sim.clock import MILLISECOND, SECOND
from cluster.wire.http import TlsPeer
from explainer import pki

ADMIN = TlsPeer(common_name="kubernetes-admin", organizations=("kubeadm:cluster-admins",))
NOBODY = TlsPeer()
EPOCH = 1_780_000_000


@cache
def keys() -> Pki:
    """One set of keys for all tests: making them is slow."""
    return Pki(**pki.make("test", ["localhost"], ["127.0.0.1"]))


class Desk:
    """A booted cluster and ways to use it. Virtual time passes only inside its methods."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.conn = 0
        self.frames = []

    @staticmethod
    def boot(limit: int = 120 * SECOND, **fields) -> "Desk":
        spec = ClusterSpec(name="demo", epoch=EPOCH, pki=keys(), **fields)
        desk = Desk(Lab.start(spec))
        desk.until(desk.lab.ready, limit)
        return desk

    @staticmethod
    def with_pods(*lines: str) -> "Desk":
        """A control plane and two workers, these lines typed, and what they made in the namespace ``default`` running behind its rules."""
        desk = Desk.boot(control_planes=1, etcd_members=1, workers=2)
        for line in lines:
            assert desk.type(line)[2] == 0, line
        pods = "/api/v1/namespaces/default/pods"
        desk.until(lambda: all(pod["status"].get("phase") == "Running" for pod in desk.get(pods)["items"]))
        desk.lab.run_until(desk.lab.now + 3 * SECOND)
        return desk

    def until(self, done, limit: int = 60 * SECOND) -> None:
        """Let time pass until ``done()``; fails after ``limit`` virtual ns."""
        end = self.lab.now + limit
        while not done():
            assert self.lab.now < end, f"nothing came of it within {limit / SECOND} virtual seconds"
            self.lab.run_until(self.lab.now + 20 * MILLISECOND)

    def send(self, method, path, doc=None, *, peer=ADMIN, headers=(), body=b"", query="") -> str:
        """Submit a request; its connection's name."""
        self.conn += 1
        conn = f"t{self.conn}"
        if doc is not None:
            body = orjson.dumps(doc)
            headers = (*headers, ("content-type", "application/json"))
        path, _, inline = path.partition("?")
        self.lab.submit(HttpIn(conn, 1, method, path, query or inline, tuple(headers), body, peer, "192.0.2.1:40000"))
        return conn

    def ask(self, method, path, doc=None, **how):
        """(code, document) of one request."""
        conn = self.send(method, path, doc, **how)
        answers = []

        def answered():
            for output in self.drain():
                if getattr(output, "conn", None) == conn:
                    answers.append(output)
            return any(isinstance(a, HttpOut | HttpResetOut) for a in answers)

        self.until(answered)
        first = answers[0]
        assert isinstance(first, HttpOut), first
        self.request = first.request
        text = first.body
        return first.code, orjson.loads(text) if text[:1] == b"{" else text.decode()

    def drain(self):
        drained = self.lab.drain()
        self.frames += drained.frames
        return drained.outputs

    def get(self, path, **how):
        code, doc = self.ask("GET", path, **how)
        assert code == 200, (code, doc)
        return doc

    def watch(self, path, events: int, trigger=None):
        """The first ``events`` documents of a watch; ``trigger()`` runs once it is open."""
        conn = self.send("GET", path)
        data = bytearray()
        opened = []

        def enough():
            for output in self.drain():
                if isinstance(output, HttpOut) and output.conn == conn:
                    opened.append(output.code)
                elif isinstance(output, HttpDataOut) and output.conn == conn:
                    data.extend(output.data)
            if opened and trigger is not None and len(opened) == 1:
                opened.append(0)
                trigger()
            return data.count(b"\n") >= events

        self.until(enough)
        self.lab.submit(HttpCloseIn(conn, 1))
        return [orjson.loads(line) for line in bytes(data).splitlines()[:events]]

    def type(self, line: str, session: str = "s"):
        """Type a line into the browser console: (stdout, stderr, exit code)."""
        self.conn += 1
        call = f"c{self.conn}"
        self.lab.submit(ConsoleIn(session, line, call))
        pieces = []

        def ended():
            pieces.extend(o.doc for o in self.drain() if getattr(o, "call", None) == call)
            return bool(pieces) and pieces[-1]["done"]

        self.until(ended, 300 * SECOND)
        text = "".join(p.get("stdout", "") for p in pieces)
        return text, "".join(p.get("stderr", "") for p in pieces), pieces[-1]["exitCode"]


@cache
def three_hosts() -> bytes:
    """A checkpoint of three control-plane hosts without workers."""
    return Desk.boot(workers=0).lab.checkpoint()
