"""``etcdctl``: ask the etcd members themselves: ``get``, ``put``, ``del``, ``txn``, ``compact``, ``lease …``, ``member …``, ``endpoint status|health|hashkv``,
``alarm list|disarm``, ``defrag``, ``move-leader`` (leases, members and transactions: ``etcd_more``).

Only the API server talks to etcd in a cluster; this is the operator's back door, and what it shows is what the API server stores:
``etcdctl get /registry/pods --prefix --keys-only``. ``--endpoints`` takes addresses or members' process names (``m1``); without it
the first member is asked (``--cluster``: every one). Table output by ``-w table``, JSON by ``-w json``.

Simplified here: no users; what goes on for ever or writes files of the machine (``watch``, ``snapshot``, ``lock``, ``elect``, ``check``) is refused by name: a real
etcdctl on the member's own port has it; TLS flags are accepted and not needed; values are the JSON that this etcd holds (a real one holds protobuf).
Upstream: etcd 3.5 etcdctl/ctlv3.
"""

from base64 import b64encode
from collections.abc import Generator
from typing import Any

import orjson

from cluster.shell import etcd_more
from cluster.shell.effects import Answer, Effect, Etcd
from cluster.shell.interpreter import Context, Run
from cluster.shell.options import OptionError, getopt
from cluster.wire import etcd

NAMES = ("etcdctl",)
VERSION = "3.5.26"
_LONG = {
    "endpoints=": "E", "cluster": "C", "prefix": "p", "keys-only": "k", "print-value-only": "v", "count-only": "c", "limit=": "l",
    "rev=": "r", "consistency=": "y", "write-out=": "w", "prev-kv": "P", "from-key": "f", "cacert=": "a", "cert=": "b", "key=": "d",
    "command-timeout=": "t", "dial-timeout=": "t", "insecure-skip-tls-verify": "i", "hex": "h", "order=": "o", "sort-by=": "s",
    "lease=": "lease", "ignore-value": "ignore-value", "ignore-lease": "ignore-lease", "keys": "keys", "once": "once", "peer-urls=": "peers",
    "learner": "learner", "physical": "physical", "interactive": "it",
}  # fmt: skip


_SORT = {"": "KEY", "CREATE": "CREATE", "KEY": "KEY", "MODIFY": "MOD", "VALUE": "VALUE", "VERSION": "VERSION"}


class _Failure(Exception):
    """``Error: …``."""


def run(ctx: Context) -> Run:
    """Status 1 for errors, as etcdctl's."""
    try:
        flags, words = getopt(ctx.args, "w:", _LONG)
    except OptionError as error:
        ctx.err(f"Error: {error}\n")
        return 1
    members = ctx.config.members
    chosen = _endpoints(flags.get("E") or ctx.env.get("ETCDCTL_ENDPOINTS", ""), members)
    try:
        if not members:
            raise _Failure("no etcd members are known to this console")
        return (yield from _command(ctx, flags, words, chosen))
    except (_Failure, etcd_more.Wrong) as error:
        ctx.err(f"Error: {error}\n")
        return 1


def _endpoints(text: str, members: tuple[str, ...]) -> list[str]:
    """Processes. Ports 2379, 2381, … of the local machine are the members in turn, as the product opens them."""
    found: list[str] = []
    for each in text.split(",") if text else ():
        host, _, port = each.removeprefix("https://").removeprefix("http://").rstrip("/").partition(":")
        place = (int(port) - 2379) // 2 if port.isdigit() else 0
        if host in members:
            found.append(host)
        elif host in ("127.0.0.1", "localhost") and 0 <= place < len(members):
            found.append(members[place])
        else:
            found.append(each)
    return found or list(members[:1])


def _ask(member: str, request: Any, ctx: Context) -> Generator[Effect, Answer, Any]:
    if member not in ctx.config.members:
        raise _Failure(f"context deadline exceeded: no etcd member at {member}")
    answer = yield Etcd(member, request)
    if answer.value is None:
        raise _Failure("context deadline exceeded")
    if isinstance(answer.value, etcd.EtcdError):
        raise _Failure(answer.value.message)
    return answer.value


def _command(ctx: Context, flags: dict[str, str], words: list[str], chosen: list[str]) -> Run:
    def ask(request: Any) -> Generator[Effect, Answer, Any]:
        return _ask(chosen[0], request, ctx)

    match words:
        case ["version"]:
            ctx.out(f"etcdctl version: {VERSION}\nAPI version: 3.5\n")
        case ["member", "list"]:
            yield from _members(ctx, flags, chosen[0])
        case ["endpoint", "status" | "health" as what]:
            every = list(ctx.config.members) if "C" in flags else chosen
            return (yield from _endpoint(ctx, flags, every, what))
        case ["get", key, *rest]:
            yield from _get(ctx, flags, chosen[0], key, rest)
        case ["put", key, *rest]:
            answer = yield from _ask(chosen[0], _put(flags, key, rest, ctx.stdin), ctx)
            if _as_json(
                ctx, flags, answer, {"prev_kv": _json_kv(answer.prev_kv) if answer.prev_kv is not None else None}
            ):
                return 0
            ctx.out("OK\n" + (_pair(answer.prev_kv) if answer.prev_kv is not None else ""))
        case ["del", key, *rest]:
            gone = etcd.DeleteRangeRequest(0, _bytes(key), _range_end(flags, key, rest), "P" in flags)
            answer = yield from _ask(chosen[0], gone, ctx)
            if _as_json(
                ctx, flags, answer, {"deleted": answer.deleted, "prev_kvs": [_json_kv(kv) for kv in answer.prev_kvs]}
            ):
                return 0
            ctx.out(f"{answer.deleted}\n" + "".join(_pair(each) for each in answer.prev_kvs))
        case ["compact" | "compaction", revision] if revision.isdigit():
            yield from _ask(chosen[0], etcd.CompactionRequest(0, int(revision)), ctx)
            ctx.out(f"compacted revision {revision}\n")
        case ["alarm", "list"]:
            answer = yield from _ask(chosen[0], etcd.AlarmRequest(0), ctx)
            ctx.out(etcd_more.alarms_text(answer.alarms))
        case ["alarm", "disarm"]:
            ctx.out((yield from etcd_more.disarm(ask)))
        case ["lease", *rest]:
            ctx.out((yield from etcd_more.lease(rest, flags, ask)))
        case ["member", "add" | "remove" | "update" | "promote", *_]:
            ctx.out((yield from etcd_more.change(words[1:], flags, ask)))
        case ["txn"]:
            ctx.out((yield from etcd_more.txn(ctx.stdin, ask, _pair)))
        case ["defrag"]:
            for member in list(ctx.config.members) if "C" in flags else chosen:
                yield from _ask(member, etcd.DefragmentRequest(0), ctx)
                ctx.out(f"Finished defragmenting etcd member[{member}]\n")
        case ["endpoint", "hashkv"]:
            yield from _hashes(ctx, flags, list(ctx.config.members) if "C" in flags else chosen)
        case ["watch" | "snapshot" | "lock" | "elect" | "check" | "make-mirror" as what, *_]:
            raise _Failure(f"{what} is not in this console: use a real etcdctl on the member's own port")
        case ["move-leader", target]:
            yield from _ask(chosen[0], etcd.MoveLeaderRequest(0, _hex(target)), ctx)
            ctx.out(f"Leadership transferred to {target}\n")
        case []:
            ctx.out("NAME:\n\tetcdctl - A simple command line client for etcd3.\n\nUSAGE:\n\tetcdctl [flags]\n")
        case _:
            raise _Failure(f'unknown or unsupported command "{" ".join(words[:2])}" for "etcdctl"')
    return 0


def _put(flags: dict[str, str], key: str, rest: list[str], stdin: str) -> etcd.PutRequest:
    lease = etcd_more.hexadecimal(flags["lease"], "lease") if "lease" in flags else 0
    same = "ignore-value" in flags
    value = "" if same else rest[0] if rest else stdin
    return etcd.PutRequest(0, _bytes(key), _bytes(value), lease, "P" in flags, same, "ignore-lease" in flags)


def _hashes(ctx: Context, flags: dict[str, str], members: list[str]) -> Run:
    rows: list[list[str]] = []
    for member in members:
        answer = yield from _ask(
            member, etcd.HashKVRequest(0, int(flags["r"]) if flags.get("r", "").isdigit() else 0), ctx
        )
        rows.append([member, str(answer.hash)])
    table = flags.get("w") == "table"
    ctx.out(_table(["ENDPOINT", "HASH"], rows) if table else "".join(", ".join(row) + "\n" for row in rows))
    return 0


def _as_json(ctx: Context, flags: dict[str, str], answer: Any, fields: dict[str, Any]) -> bool:
    """Print ``-w json``, if that was asked for; what is empty is left out, as Go does."""
    if flags.get("w") != "json":
        return False
    ctx.out(
        _dump({"header": _header(answer.header), **{name: value for name, value in fields.items() if value}}) + "\n"
    )
    return True


def _dump(doc: dict[str, Any]) -> str:
    """As Go prints a struct: fields in their order."""
    return orjson.dumps(doc).decode()


def _hex(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise _Failure(
            f'bad member ID arg (strconv.ParseUint: parsing "{text}": invalid syntax), expecting ID in Hex'
        ) from None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _range_end(flags: dict[str, str], key: str, rest: list[str]) -> bytes:
    if "f" in flags or ("p" in flags and not key):
        return b"\0"
    if "p" in flags:
        data = bytearray(_bytes(key))
        while data and data[-1] == 0xFF:
            data.pop()
        if not data:
            return b"\0"
        data[-1] += 1
        return bytes(data)
    return _bytes(rest[0]) if rest else b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _pair(kv: etcd.KeyValue) -> str:
    return f"{_text(kv.key)}\n{_text(kv.value)}\n"


def _get(ctx: Context, flags: dict[str, str], member: str, key: str, rest: list[str]) -> Run:
    numbers = {name: flags.get(name, "0") for name in "lr"}
    if not all(value.isdigit() for value in numbers.values()):
        raise _Failure("--limit and --rev need numbers")
    order, by = flags.get("o", "").upper(), flags.get("s", "").upper()
    if order not in ("", "ASCEND", "DESCEND"):
        raise _Failure(f"bad sort order {flags['o']}")
    if by not in _SORT:
        raise _Failure(f"bad sort target {flags['s']}")
    order = order or ("ASCEND" if by else "NONE")
    request = etcd.RangeRequest(
        0,
        _bytes(key) or b"\0",
        _range_end(flags, key, rest),
        limit=int(numbers["l"]),
        revision=int(numbers["r"]),
        serializable=flags.get("y") == "s",
        keys_only="k" in flags,
        count_only="c" in flags,
        sort_order=order,  # type: ignore[arg-type]
        sort_target=_SORT[by],  # type: ignore[arg-type]
    )
    answer = yield from _ask(member, request, ctx)
    if flags.get("w") == "json":
        ctx.out(_dump(_json(answer)) + "\n")
    elif flags.get("w") == "fields":
        ctx.out(_fields(answer))
    elif "c" in flags:
        ctx.out(f"{answer.count}\n")
    else:
        for kv in answer.kvs:
            if "v" in flags:
                ctx.out(_text(kv.value) + "\n")
            else:
                ctx.out(_pair(kv) if "k" not in flags else _text(kv.key) + "\n\n")
    return 0


def _header(header: etcd.ResponseHeader) -> dict[str, int]:
    return {
        "cluster_id": header.cluster_id,
        "member_id": header.member_id,
        "revision": header.revision,
        "raft_term": header.raft_term,
    }


def _json_kv(kv: etcd.KeyValue) -> dict[str, Any]:
    fields = {
        "key": b64encode(kv.key).decode(), "create_revision": kv.create_revision, "mod_revision": kv.mod_revision,
        "version": kv.version, "value": b64encode(kv.value).decode(), "lease": kv.lease,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value}


def _json(answer: etcd.RangeResponse) -> dict[str, Any]:
    fields = {"kvs": [_json_kv(kv) for kv in answer.kvs], "more": answer.more, "count": answer.count}
    return {"header": _header(answer.header), **{name: value for name, value in fields.items() if value}}


def _fields(answer: etcd.RangeResponse) -> str:
    header = answer.header
    out = f'"ClusterID" : {header.cluster_id}\n"MemberID" : {header.member_id}\n"Revision" : {header.revision}\n"RaftTerm" : {header.raft_term}\n'
    for kv in answer.kvs:
        out += (
            f'"Key" : "{_text(kv.key)}"\n"CreateRevision" : {kv.create_revision}\n"ModRevision" : {kv.mod_revision}\n'
        )
        out += f'"Version" : {kv.version}\n"Value" : "{_text(kv.value)}"\n"Lease" : {kv.lease}\n'
    return out + f'"More" : {"true" if answer.more else "false"}\n"Count" : {answer.count}\n'


def _members(ctx: Context, flags: dict[str, str], member: str) -> Run:
    answer = yield from _ask(member, etcd.MemberListRequest(0), ctx)
    if flags.get("w") == "json":
        names = ("ID", "name", "peerURLs", "clientURLs", "isLearner")
        docs = [
            dict(zip(names, (m.id, m.name, list(m.peer_urls), list(m.client_urls), m.is_learner), strict=True))
            for m in answer.members
        ]
        _as_json(
            ctx, flags, answer, {"members": [{name: value for name, value in doc.items() if value} for doc in docs]}
        )
        return 0
    rows = [
        [
            f"{each.id:x}",
            "started" if each.name else "unstarted",
            each.name,
            ",".join(each.peer_urls),
            ",".join(each.client_urls),
            "true" if each.is_learner else "false",
        ]
        for each in answer.members
    ]
    heads = ["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"]
    ctx.out(_table(heads, rows) if flags.get("w") == "table" else "".join(", ".join(row) + "\n" for row in rows))
    return 0


def _endpoint(ctx: Context, flags: dict[str, str], members: list[str], what: str) -> Run:
    rows: list[list[str]] = []
    failed = False
    for member in members:
        began = ctx.now
        try:
            if what == "health":
                yield from _ask(member, etcd.RangeRequest(0, b"health"), ctx)
                took = f"{(ctx.now - began) / 1_000_000:.6f}".rstrip("0").rstrip(".")
                ctx.out(f"{member} is healthy: successfully committed proposal: took = {took}ms\n")
                continue
            s = yield from _ask(member, etcd.StatusRequest(0), ctx)
        except _Failure as error:
            failed = True
            if what == "health":
                ctx.err(f"{member} is unhealthy: failed to commit proposal: {error}\n")
            else:
                ctx.err(f"Failed to get the status of endpoint {member} ({error})\n")
            continue
        leads = "true" if s.leader == s.header.member_id else "false"
        learner = "true" if s.is_learner else "false"
        numbers = [str(s.raft_term), str(s.raft_index), str(s.raft_applied_index)]
        rows.append(
            [
                member,
                f"{s.header.member_id:x}",
                s.version,
                _size(s.db_size),
                leads,
                learner,
                *numbers,
                ", ".join(s.errors),
            ]
        )
    if what == "status":
        heads = ["ENDPOINT", "ID", "VERSION", "DB SIZE", "IS LEADER", "IS LEARNER", "RAFT TERM", "RAFT INDEX"]
        heads += ["RAFT APPLIED INDEX", "ERRORS"]
        ctx.out(_table(heads, rows) if flags.get("w") == "table" else "".join(", ".join(row) + "\n" for row in rows))
    elif failed:
        raise _Failure("unhealthy cluster")
    return 1 if failed else 0


def _size(count: int) -> str:
    """go-humanize's bytes: two digits."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(heads))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+\n"
    head = "|" + "|".join(f" {cell:^{width}} " for cell, width in zip(heads, widths, strict=True)) + "|\n"
    lines = [
        "|" + "|".join(f" {cell:>{width}} " for cell, width in zip(row, widths, strict=True)) + "|\n" for row in rows
    ]
    return rule + head + rule + "".join(lines) + rule
