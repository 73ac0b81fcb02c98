"""``etcdctl lease``, ``lock``, ``elect``: keys that live as long as somebody keeps a promise.

A lock is a key ``<name>/<lease>`` written once: whoever's was created first has it, everyone else waits for the one before to be deleted, so that a release wakes
one waiter and not all. An election is the same with a value: the first key's value leads.

Ctrl-C gives back what was held, as etcdctl does; closing the window doesn't, and then the lease runs out. Upstream: client/v3/concurrency.
"""

from collections.abc import Generator
from typing import Any

from cluster.shell.commands.etcdctl import telling
from cluster.shell.commands.etcdctl.keys import as_bytes, hexadecimal
from cluster.shell.commands.etcdctl.talk import BAD_ARGS, BAD_CONNECTION, Failure, Talk, Talker
from cluster.shell.commands.etcdctl.usage import Line
from cluster.shell.effects import Answer, Cancel, Effect, Etcd, Next, Sleep
from cluster.shell.interpreter import shell_words
from cluster.sim.clock import SECOND
from cluster.wire import etcd

_EVENT = Generator[Effect, Answer, Any]


def _out(
    talk: Talker, line: Line, head: etcd.ResponseHeader, simple: str, *rows: tuple[str, Any], json: Any = None
) -> None:
    form = line.text("write-out")
    if form == "json":
        talk.ctx.out(telling.dump({**telling.header(head), **(json or {})}))
    elif form == "fields":
        talk.ctx.out(telling.header_fields(head) + telling.lines(*rows))
    else:
        talk.ctx.out(simple)


def grant(talk: Talker, line: Line) -> Talk:
    if len(line.words) != 1:
        raise Failure("lease grant command needs TTL argument", BAD_ARGS)
    ttl = line.words[0]
    if not ttl.lstrip("-").isdigit() or len(ttl) > 18:
        raise Failure(f'bad TTL (strconv.ParseInt: parsing "{ttl}": invalid syntax)', BAD_ARGS)
    try:
        a = yield from talk.ask(etcd.LeaseGrantRequest(0, int(ttl)))
    except Failure as failure:
        raise Failure(f"failed to grant lease ({failure})") from None
    _out(talk, line, a.header, f"lease {a.lease:016x} granted with TTL({a.ttl}s)\n", ("ID", a.lease), ("TTL", a.ttl),
         json={"ID": a.lease, "TTL": a.ttl, "Error": ""})  # fmt: skip
    return 0


def revoke(talk: Talker, line: Line) -> Talk:
    if len(line.words) != 1:
        raise Failure("lease revoke command needs 1 argument", BAD_ARGS)
    id_ = _id(line)
    try:
        a = yield from talk.ask(etcd.LeaseRevokeRequest(0, id_))
    except Failure as failure:
        raise Failure(f"failed to revoke lease ({failure})") from None
    if line.text("write-out") == "json":
        talk.ctx.out(telling.dump({"header": telling.header(a.header)}))
    else:
        _out(talk, line, a.header, f"lease {id_:016x} revoked\n")
    return 0


def _id(line: Line) -> int:
    return hexadecimal(line.words[0], "bad lease ID arg ({}), expecting ID in Hex")


def timetolive(talk: Talker, line: Line) -> Talk:
    if len(line.words) != 1:
        raise Failure("lease timetolive command needs lease ID as argument", BAD_ARGS)
    a = yield from talk.ask(etcd.LeaseTimeToLiveRequest(0, _id(line), line.on("keys")))
    if a.ttl < 0:
        simple = f"lease {a.lease:016x} already expired\n"
    else:
        tail = f", attached keys([{' '.join(telling.text(key) for key in a.keys)}])" if line.on("keys") else ""
        simple = f"lease {a.lease:016x} granted with TTL({a.granted_ttl}s), remaining({a.ttl}s){tail}\n"
    keys = [telling.kv(etcd.KeyValue(key))["key"] for key in a.keys] or None
    _out(talk, line, a.header, simple, ("ID", a.lease), ("TTL", a.ttl), ("GrantedTTL", a.granted_ttl), *(("Key", key) for key in a.keys),
         json={"id": a.lease, "ttl": a.ttl, "granted-ttl": a.granted_ttl, "keys": keys})  # fmt: skip
    return 0


def listing(talk: Talker, line: Line) -> Talk:
    a = yield from talk.ask(etcd.LeaseLeasesRequest(0))
    simple = f"found {len(a.leases)} leases\n" + "".join(f"{id_:016x}\n" for id_ in a.leases)
    _out(
        talk,
        line,
        a.header,
        simple,
        *(("ID", id_) for id_ in a.leases),
        json={"leases": [{"id": id_} for id_ in a.leases]},
    )
    return 0


def keep_alive(talk: Talker, line: Line) -> Talk:
    if len(line.words) != 1:
        raise Failure("lease keep-alive command needs lease ID as argument", BAD_ARGS)
    id_ = _id(line)
    while True:
        a = yield from talk.ask(etcd.LeaseKeepAliveRequest(0, id_), quiet=True)
        if not a.ttl and line.on("once"):
            raise Failure("etcdserver: requested lease not found", BAD_CONNECTION)
        if a.ttl:
            _out(
                talk,
                line,
                a.header,
                f"lease {id_:016x} keepalived with TTL({a.ttl})\n",
                ("ID", id_),
                ("TTL", a.ttl),
                json={"ID": id_, "TTL": a.ttl},
            )
        if line.on("once"):
            return 0
        if not a.ttl:
            if line.text("write-out") == "simple":
                talk.ctx.out(f"lease {id_:016x} expired or revoked.\n")
            return 0
        yield Sleep(a.ttl * SECOND // 3)


# -- lock and elect -----------------------------------------------------------------------------------------------------


class _Session:
    """A lease that is kept alive while something waits, and the key on it."""

    def __init__(self, talk: Talker, prefix: str, ttl: int) -> None:
        self.talk, self.prefix, self.ttl = talk, as_bytes(prefix.rstrip("/") + "/"), ttl
        self.lease, self.key, self.revision = 0, b"", 0

    def begin(self, value: bytes = b"") -> Talk:
        """Get in line."""
        a = yield from self.talk.ask(etcd.LeaseGrantRequest(0, self.ttl))
        self.lease, self.key = a.lease, self.prefix + b"%x" % a.lease
        # Ctrl-C: what was held is given back
        self.talk.ctx.machine.parting = tuple(
            (self.talk.process(one), etcd.LeaseRevokeRequest(0, self.lease)) for one in self.talk.endpoints[:1]
        )
        new = etcd.Compare(self.key, "CREATE", "EQUAL", 0)
        put = etcd.PutRequest(0, self.key, value, self.lease)
        a = yield from self.talk.ask(etcd.TxnRequest(0, (new,), (put,), (etcd.RangeRequest(0, self.key),)))
        self.revision = a.header.revision

    def turn(self) -> Talk:
        """Wait until nobody who came before is left."""
        end = self.talk.ctx.now + self.ttl * SECOND // 3
        while True:
            asked = etcd.RangeRequest(
                0,
                self.prefix,
                _after(self.prefix),
                1,
                sort_order="DESCEND",
                sort_target="CREATE",
                max_create_revision=self.revision - 1,
            )
            a = yield from self.talk.ask(asked)
            if not a.kvs:
                return
            yield from wait_for_delete(self.talk, a.kvs[0].key, a.header.revision + 1, max(end - self.talk.ctx.now, 1))
            if self.talk.ctx.now >= end:
                yield from self.renew()
                end = self.talk.ctx.now + self.ttl * SECOND // 3

    def renew(self) -> Talk:
        a = yield from self.talk.ask(etcd.LeaseKeepAliveRequest(0, self.lease))
        if not a.ttl:
            raise Failure("session expired")

    def hold(self) -> Talk:
        """Until Ctrl-C."""
        while True:
            yield Sleep(self.ttl * SECOND // 3)
            yield from self.renew()

    def end(self) -> Talk:
        """Give it back."""
        self.talk.ctx.machine.parting = ()
        yield from self.talk.ask(etcd.LeaseRevokeRequest(0, self.lease))


def _after(prefix: bytes) -> bytes:
    return prefix[:-1] + bytes([prefix[-1] + 1])


def wait_for_delete(talk: Talker, key: bytes, revision: int, patience: int) -> _EVENT:
    """Until ``key`` is deleted, or ``patience`` ns are over."""
    end = talk.ctx.now + patience
    first = yield Etcd(
        talk.process(talk.endpoints[0]), etcd.WatchCreateRequest(0, key, start_revision=revision), talk.patience
    )
    while first.stream:
        piece = yield Next(first.id, max(end - talk.ctx.now, 1))
        if piece.value is not None and any(event.type == "DELETE" for event in piece.value.events):
            break
        if piece.end or talk.ctx.now >= end:
            break
    yield Cancel(first.id)


def lock(talk: Talker, line: Line) -> Talk:
    if not line.words:
        raise Failure("lock takes a lock name argument and an optional command to execute", BAD_ARGS)
    name, *command = line.words
    if command and command[0] not in talk.ctx.machine.commands:
        raise Failure(f'exec: "{command[0]}": executable file not found in $PATH')
    session = _Session(talk, name, line.number("ttl"))
    yield from session.begin()
    yield from session.turn()
    if command:
        env = f"ETCD_LOCK_KEY={shell_words([telling.text(session.key)])} ETCD_LOCK_REV={session.revision} "
        code = yield from talk.ctx.run(env + shell_words(command))
        yield from session.end()
        return code
    a = yield from talk.ask(etcd.RangeRequest(0, session.key))
    if not a.kvs:
        raise Failure("lock lost on init")
    _shown(talk, line, a)
    yield from session.hold()
    return 0


def _shown(talk: Talker, line: Line, a: etcd.RangeResponse) -> None:
    form = line.text("write-out")
    talk.ctx.out(
        telling.dump(telling.answer(a))
        if form == "json"
        else telling.fields(a)
        if form == "fields"
        else "".join(map(telling.pair, a.kvs))
    )


def elect(talk: Talker, line: Line) -> Talk:
    if len(line.words) not in (1, 2):
        raise Failure("elect takes one election name argument and an optional proposal argument", BAD_ARGS)
    if line.on("listen") and len(line.words) == 2:
        raise Failure("proposal given but -l is set", BAD_ARGS)
    if len(line.words) == 1:
        if not line.on("listen"):
            raise Failure("no proposal argument but -l not set", BAD_ARGS)
        yield from _observe(talk, line)
        return 0
    session = _Session(talk, line.words[0], 60)
    yield from session.begin(as_bytes(line.words[1]))
    yield from session.turn()
    _shown(talk, line, (yield from talk.ask(etcd.RangeRequest(0, session.key))))
    yield from session.hold()
    return 0


def _observe(talk: Talker, line: Line) -> Talk:
    """Say who leads, and who leads next."""
    prefix, told = as_bytes(line.words[0].rstrip("/") + "/"), b""
    while True:
        a = yield from talk.ask(
            etcd.RangeRequest(0, prefix, _after(prefix), 1, sort_order="ASCEND", sort_target="CREATE")
        )
        if a.kvs and (mark := a.kvs[0].key + b"%d" % a.kvs[0].mod_revision) != told:
            told = mark
            _shown(talk, line, a)
        first = yield Etcd(
            talk.process(talk.endpoints[0]),
            etcd.WatchCreateRequest(0, prefix, _after(prefix), a.header.revision + 1),
            talk.patience,
        )
        while first.stream:
            piece = yield Next(first.id)
            if piece.end or (piece.value is not None and piece.value.events):
                break
        yield Cancel(first.id)
        if not first.stream:
            yield Sleep(SECOND)
