"""The services ``Lock`` and ``Election`` of a member: locks and elections made of transactions, leases and watches, at the server.

Everybody who wants the lock writes a key of his own below its name, under a lease, if it isn't there; the key that was created first has the lock. Who is not
first waits until the one created just before is deleted: each waits for one other only. An election is the same, with a value to the key.

In: a path of the JSON gateway and its document. Out: documents (``observe`` gives many). Errors: those of ``Member``; ``Refused`` with code 2, as the
server's own client loses the codes. A client that goes away while it waits takes its key with it.

Upstream: server/etcdserver/api/{v3lock,v3election}, client/v3/concurrency.

Simplified here: a lease that was not named is granted (60 s); one that was named is not renewed once, as the real session does in passing.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Final, NamedTuple

from cluster.etcd.gojson import BadJSON, Fields, fields, first_value, int64, octets, read
from cluster.etcd.mvcc import prefix_end
from explainer.gateway.etcd_ask import UNKNOWN, Down, Member, Refused
from explainer.runs.bus import Unavailable

Document = dict[str, Any]
TTL: Final = 60
"""Seconds of a session's lease."""


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


def _bytes(document: Document, name: str) -> bytes:
    return b64decode(document.get(name, ""))


# -- what both are made of --------------------------------------------------------------------------------------------


async def _session(member: Member, lease: int) -> int:
    if lease:
        return lease
    return int((await member.ask("/v3/lease/grant", {"TTL": str(TTL)}))["ID"])


def _below(name: bytes) -> tuple[bytes, Document]:
    """The prefix of the keys of ``name``, and a range over them."""
    prefix = name + b"/"
    return prefix, {"key": _b64(prefix), "range_end": _b64(prefix_end(prefix))}


def _first(keys: Document) -> Document:
    return {**keys, "limit": "1", "sort_order": "ASCEND", "sort_target": "CREATE"}


def _created(key: bytes, revision: int) -> Document:
    return {"key": _b64(key), "target": "CREATE", "result": "EQUAL", "create_revision": str(revision)}


async def _enter(member: Member, key: bytes, value: bytes, lease: int, *more: Document) -> tuple[Document, int]:
    """Write ``key`` unless it is there: the transaction's answer, and the revision that created the key."""
    put = {"request_put": {"key": _b64(key), "value": _b64(value), "lease": str(lease)}}
    get = {"request_range": {"key": _b64(key)}}
    ranges = [{"request_range": one} for one in more]
    wanted = {"compare": [_created(key, 0)], "success": [put, *ranges], "failure": [get, *ranges]}
    done = await member.ask("/v3/kv/txn", wanted)
    if done.get("succeeded"):
        return done, int(done["header"]["revision"])
    return done, int(done["responses"][0]["response_range"]["kvs"][0]["create_revision"])


async def _wait(member: Member, keys: Document, created: int) -> None:
    """Until no key of the range is left that was created at ``created`` or before."""
    before = {"limit": "1", "sort_order": "DESCEND", "sort_target": "CREATE", "max_create_revision": str(created)}
    while True:
        found = await member.ask("/v3/kv/range", {**keys, **before})
        if not found.get("kvs"):
            return
        await _deleted(member, found["kvs"][0]["key"], int(found["header"]["revision"]))


async def _deleted(member: Member, key: str, revision: int) -> None:
    watch = member.watch({"key": key, "start_revision": str(revision)})
    try:
        async for answer in watch:
            if any(event.get("type") == "DELETE" for event in answer.get("events", [])):
                return
            if answer.get("canceled"):
                break
    finally:
        await watch.aclose()
    raise Refused(UNKNOWN, "lost watcher waiting for delete")


async def _or_leave(member: Member, key: bytes, waiting: Coroutine[Any, Any, None]) -> None:
    """Wait; whoever stops waiting, for whatever reason, takes his key away."""
    try:
        await waiting
    except BaseException as why:
        if not isinstance(why, Down):
            leaving = asyncio.ensure_future(_leave(member, key))
            if not isinstance(why, asyncio.CancelledError):
                await leaving
        raise


_leaving: Final[set[asyncio.Task[Any]]] = set()
"""What nobody waits for must be held, or it may be collected before it is done."""


async def _leave(member: Member, key: bytes) -> None:
    task = asyncio.current_task()
    assert task is not None
    _leaving.add(task)
    try:
        await member.ask("/v3/kv/deleterange", {"key": _b64(key)})
    except (Refused, Down, Unavailable):
        pass  # its lease ends it
    finally:
        _leaving.discard(task)


# -- locks ------------------------------------------------------------------------------------------------------------


async def _lock(member: Member, said: Document) -> AsyncGenerator[Document, None]:
    lease = await _session(member, said.get("lease", 0))
    prefix, keys = _below(said.get("name", b""))
    key = prefix + b"%x" % lease
    done, mine = await _enter(member, key, b"", lease, _first(keys))
    owner = done["responses"][1]["response_range"].get("kvs", [])
    header = done["header"]
    if owner and int(owner[0]["create_revision"]) != mine:
        await _or_leave(member, key, _wait(member, keys, mine - 1))
        found = await member.ask("/v3/kv/range", {"key": _b64(key)})
        if not found.get("kvs"):
            raise Refused(UNKNOWN, "mutex: session is expired")
        header = found["header"]
    yield {"header": header, "key": _b64(key)}


async def _unlock(member: Member, said: Document) -> AsyncGenerator[Document, None]:
    done = await member.ask("/v3/kv/deleterange", {"key": _b64(said.get("key", b""))})
    yield {"header": done["header"]}


# -- elections --------------------------------------------------------------------------------------------------------


async def _campaign(member: Member, said: Document) -> AsyncGenerator[Document, None]:
    lease = await _session(member, said.get("lease", 0))
    name, value = said.get("name", b""), said.get("value", b"")
    prefix, keys = _below(name)
    key = prefix + b"%x" % lease
    done, mine = await _enter(member, key, value, lease)
    header = done["header"]
    if not done.get("succeeded"):
        held = done["responses"][0]["response_range"]["kvs"][0]
        if _bytes(held, "value") != value:
            header = (await _proclaimed(member, key, mine, value, lease))["header"]
    await _or_leave(member, key, _wait(member, keys, mine - 1))
    leader = {"name": _b64(name), "key": _b64(key), "rev": str(mine), "lease": str(lease)}
    yield {"header": header, "leader": {field: value for field, value in leader.items() if value}}


async def _proclaimed(member: Member, key: bytes, created: int, value: bytes, lease: int) -> Document:
    put = {"request_put": {"key": _b64(key), "value": _b64(value), "lease": str(lease)}}
    done = await member.ask("/v3/kv/txn", {"compare": [_created(key, created)], "success": [put]})
    if not done.get("succeeded"):
        raise Refused(UNKNOWN, "election: not leader")
    return done


def _leader_of(said: Document) -> tuple[bytes, int, int]:
    leader = said.get("leader")
    if leader is None:
        raise Refused(UNKNOWN, '"leader" field must be provided')
    return leader.get("key", b""), leader.get("rev", 0), leader.get("lease", 0)


async def _proclaim(member: Member, said: Document) -> AsyncGenerator[Document, None]:
    key, created, lease = _leader_of(said)
    lease = await _session(member, lease)
    yield {"header": (await _proclaimed(member, key, created, said.get("value", b""), lease))["header"]}


async def _resign(member: Member, said: Document) -> AsyncGenerator[Document, None]:
    key, created, lease = _leader_of(said)
    await _session(member, lease)
    delete = {"request_delete_range": {"key": _b64(key)}}
    done = await member.ask("/v3/kv/txn", {"compare": [_created(key, created)], "success": [delete]})
    yield {"header": done["header"]}


async def _leader(member: Member, said: Document) -> AsyncGenerator[Document, None]:
    _, keys = _below(said.get("name", b""))
    found = await member.ask("/v3/kv/range", _first(keys))
    if not found.get("kvs"):
        raise Refused(UNKNOWN, "election: no leader")
    yield {"header": found["header"], "kv": found["kvs"][0]}


async def _observe(member: Member, said: Document) -> AsyncGenerator[Document, None]:
    """Who leads, and what he says, from now on: the first key, then what happens to it until it is deleted, then the next first one."""
    _, keys = _below(said.get("name", b""))
    while True:
        found = await member.ask("/v3/kv/range", _first(keys))
        if found.get("kvs"):
            header, kv = found["header"], found["kvs"][0]
        else:
            header, kv = await _first_put(member, keys, int(found["header"]["revision"]))
        yield {"header": header, "kv": kv}
        watch = member.watch({"key": kv["key"], "start_revision": str(int(header["revision"]) + 1)})
        try:
            gone = False
            async for answer in watch:
                for event in answer.get("events", []):
                    gone = event.get("type") == "DELETE"
                    if gone:
                        break
                    yield {"header": answer["header"], "kv": event["kv"]}
                if gone or answer.get("canceled"):
                    break
        finally:
            await watch.aclose()
        if not gone:
            return


async def _first_put(member: Member, keys: Document, revision: int) -> tuple[Document, Document]:
    watch = member.watch({**keys, "start_revision": str(revision)})
    try:
        async for answer in watch:
            for event in answer.get("events", []):
                if event.get("type", "PUT") == "PUT":
                    return {**answer["header"], "revision": event["kv"]["mod_revision"]}, event["kv"]
    finally:
        await watch.aclose()
    raise Refused(UNKNOWN, "lost watcher waiting for a leader")


# -- the calls --------------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """A method of one of the services: its gRPC name, its messages, how its JSON is read, and who does it."""

    grpc: str
    request: str
    response: str
    table: Fields
    serve: Callable[[Member, Document], AsyncGenerator[Document, None]]


_LEADER_KEY = fields(name=octets, key=octets, rev=int64, lease=int64)


def _leader_key(value: Any) -> Document:
    return read(value, _LEADER_KEY)


_NAME = fields(name=octets)
CALLS: Final = {
    "/v3/lock/lock": Call("/v3lockpb.Lock/Lock", "LockRequest", "LockResponse", fields(name=octets, lease=int64), _lock),
    "/v3/lock/unlock": Call("/v3lockpb.Lock/Unlock", "UnlockRequest", "UnlockResponse", fields(key=octets), _unlock),
    "/v3/election/campaign": Call(
        "/v3electionpb.Election/Campaign", "CampaignRequest", "CampaignResponse", fields(name=octets, lease=int64, value=octets), _campaign
    ),
    "/v3/election/proclaim": Call(
        "/v3electionpb.Election/Proclaim", "ProclaimRequest", "ProclaimResponse", fields(leader=_leader_key, value=octets), _proclaim
    ),
    "/v3/election/leader": Call("/v3electionpb.Election/Leader", "LeaderRequest", "LeaderResponse", _NAME, _leader),
    "/v3/election/observe": Call("/v3electionpb.Election/Observe", "LeaderRequest", "LeaderResponse", _NAME, _observe),
    "/v3/election/resign": Call(
        "/v3electionpb.Election/Resign", "ResignRequest", "ResignResponse", fields(leader=_leader_key), _resign
    ),
}  # fmt: skip
OBSERVE: Final = "/v3/election/observe"
BY_GRPC: Final = {call.grpc: path for path, call in CALLS.items()}


async def serve(member: Member, path: str, body: bytes) -> AsyncGenerator[Document, None]:
    """The answers to ``body`` at ``path`` (one of ``CALLS``). Refused, with code 3 for what is no such request; Down, Unavailable, Failed."""
    call = CALLS[path]
    try:
        said = read(first_value(body), call.table)
    except BadJSON as bad:
        raise Refused(3, str(bad)) from None
    answers = call.serve(member, said)
    try:
        async for answer in answers:
            yield answer
    except Refused as refused:
        raise Refused(UNKNOWN, str(refused)) from None
    finally:
        await answers.aclose()
