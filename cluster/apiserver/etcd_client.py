"""The apiserver's connection to etcd: to whom it speaks, and what becomes of a question when nobody answers.

A stacked apiserver knows one endpoint, its own host's member (kubeadm: ``--etcd-servers=https://127.0.0.1:2379``): when that is gone the apiserver
is of no use although it runs. An external one knows all members and goes on with the next. Every wait is bounded:

- the connection breaks under a question: a read is asked again, a write's outcome is unknown and it fails (``error reading from server: EOF``);
- nobody is connected: a write fails at once, a read after ``READ_PATIENCE``, the 100 attempts 25 ms apart of etcd's client;
- silence for ``SILENCE`` breaks the connection (the kernel's TCP_USER_TIMEOUT, which gRPC sets to its keep-alive's);
- etcd answers that it cannot (``etcdserver: request timed out``): a read is asked at each other endpoint, then the client is told.

A lost endpoint is dialled again after 1 s, then 1.6 times as late each time.

Simplified here: clientv3 spreads its calls over all endpoints that are connected, here one is used until it is lost; the longest pause between two
dials is 10 s, not 120 (a real kubelet would have restarted the apiserver by then: its liveness probe fails for 80 s).

Upstream: etcd client/v3/{retry_interceptor,retry}.go, grpc-go balancer/roundrobin, apiserver/pkg/storage/storagebackend/factory/etcd3.go (v1.32).
"""

from typing import Any

from cluster.apiserver.job import Call
from cluster.sim import MILLISECOND, SECOND, Outbox
from cluster.wire import etcd as wire

SILENCE = 10 * SECOND
"""``keepaliveTimeout``: that long without an acknowledgement and the connection is given up."""
READ_PATIENCE = 99 * 25 * MILLISECOND
"""``defaultUnaryMaxRetries`` attempts, ``defaultBackoffWaitBetween`` between them."""
BETWEEN = 25 * MILLISECOND
FOR_ONESELF = 500 * MILLISECOND
"""A question of the server's own, which nobody waits for, is not hurried."""
AT_ONCE = MILLISECOND
DIAL_AGAIN = SECOND
DIAL_LONGEST = 10 * SECOND
EOF = "rpc error: code = Unavailable desc = error reading from server: EOF"
UNAVAILABLE = 14


def current(server: Any) -> str:
    """The endpoint in use, or the one that was last."""
    return server.config.etcd[server.state.member]


def connected(server: Any) -> bool:
    """Is there anybody to ask?"""
    return current(server) not in server.state.lost


def send(server: Any, call: Call, out: Outbox, delay: int) -> None:
    """Ask, or put aside until the connection is back or patience ends."""
    number = call.message.id
    if connected(server):
        call.member = current(server)
        server.state.calls[number] = call
        out.send(call.member, call.message, delay=delay)
        return
    server.state.parked[number] = call
    patience = READ_PATIENCE if type(call.message) is wire.RangeRequest else AT_ONCE
    out.timer(f"give-up/{number}", patience)


def give_up(server: Any, number: int, out: Outbox) -> None:
    """Nobody was connected for as long as the client library tries."""
    call = server.state.parked.pop(number, None)
    if call is not None:
        fail(server, call, _refused(server), out)


def fail(server: Any, call: Call, why: str, out: Outbox) -> None:
    """The question ends with gRPC's own error."""
    server.resolve(call, wire.EtcdError(call.message.id, UNAVAILABLE, why), out)


def _refused(server: Any) -> str:
    config = server.config
    where = "127.0.0.1" if len(config.etcd) == 1 else config.addresses.get(current(server), current(server))
    dialling = f"transport: Error while dialing: dial tcp {where}:2379: connect: connection refused"
    return f'rpc error: code = Unavailable desc = connection error: desc = "{dialling}"'


def lose(server: Any, peer: str, out: Outbox) -> None:
    """The connection to ``peer`` is gone: the next endpoint that is not lost takes over, if there is one."""
    state, names = server.state, server.config.etcd
    was_current = current(server) == peer
    if peer not in state.lost:
        state.lost[peer] = 0
        out.timer(f"dial/{peer}", DIAL_AGAIN, cause=0)
        if was_current:
            turn = [(state.member + step) % len(names) for step in range(1, len(names))]
            state.member = next((index for index in turn if names[index] not in state.lost), state.member)
            server.unwatched()
            if connected(server):
                out.timer("rewatch", 100 * MILLISECOND, cause=0)
            else:
                server.alone(out)
    for number, call in [(n, c) for n, c in state.calls.items() if c.member == peer]:
        del state.calls[number]
        if call.job and call.job not in state.jobs:
            continue
        out.cause = call.job
        if type(call.message) is wire.RangeRequest:
            again(server, call, out)
        else:
            fail(server, call, EOF, out)
    out.cause = 0


def again(server: Any, call: Call, out: Outbox) -> None:
    """Ask the same once more."""
    call.sent = server.now
    send(server, call, out, BETWEEN if call.job else FOR_ONESELF)
    server.arm(out)


def dial(server: Any, peer: str, out: Outbox) -> None:
    """Try a lost endpoint; any answer is a connection."""
    attempts = server.state.lost.get(peer)
    if attempts is None:
        return
    server.state.lost[peer] = attempts + 1
    out.send(peer, wire.StatusRequest(out.next_id()), cause=0)
    out.timer(f"dial/{peer}", min(DIAL_AGAIN * 16**attempts // 10**attempts, DIAL_LONGEST), cause=0)


def found(server: Any, peer: str, out: Outbox) -> None:
    """A lost endpoint answers."""
    state = server.state
    if state.lost.pop(peer, None) is None:
        return
    out.cancel(f"dial/{peer}")
    if current(server) != peer and connected(server):
        return
    state.member = server.config.etcd.index(peer)
    out.timer("rewatch", AT_ONCE, cause=0)
    parked, state.parked = state.parked, {}
    for number, call in parked.items():
        out.cancel(f"give-up/{number}")
        out.cause = call.job
        again(server, call, out)
    out.cause = 0


def retried(server: Any, error: wire.EtcdError, call: Call, out: Outbox) -> bool:
    """Whether etcd's refusal is answered by asking again: reads only, when the leader changed, and once at every other endpoint."""
    if type(call.message) is not wire.RangeRequest:
        return False
    job = server.state.jobs.get(call.job)
    if "leader" in error.message:
        if job is None or server.now - job.began <= 10 * SECOND:
            again(server, call, out)
            return True
        return False
    others = [name for name in server.config.etcd if name not in server.state.lost]
    if "timed out" not in error.message or call.tries >= len(others) - 1:
        return False
    call.tries += 1
    _ask_other(server, call, others, out)
    return True


def _ask_other(server: Any, call: Call, others: list[str], out: Outbox) -> None:
    call.member = others[(others.index(call.member) + 1) % len(others)] if call.member in others else others[0]
    call.sent = server.now
    server.state.calls[call.message.id] = call
    out.send(call.member, call.message)
    server.arm(out)
