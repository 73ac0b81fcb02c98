"""What ``etcdctl`` says and asks about leases, members, alarms, hashes and transactions: the commands beside ``get``, ``put`` and ``del``.

In: words and flags of a command line, and ``ask(request)``, which gets the member's answer. Out: text as the real etcdctl 3.5 prints it. Errors:
``Wrong``, whose text follows ``Error: ``. Upstream: etcdctl/ctlv3/command and printer_simple.go.
"""

import re
import shlex
from collections.abc import Callable, Generator
from typing import Any

from cluster.shell.effects import Answer, Effect
from cluster.wire import etcd

Talk = Generator[Effect, Answer, str]
Ask = Callable[[Any], Generator[Effect, Answer, Any]]
Pair = Callable[[etcd.KeyValue], str]

_TARGETS = {"ver": "VERSION", "version": "VERSION", "create": "CREATE", "c": "CREATE", "mod": "MOD", "m": "MOD",
            "value": "VALUE", "val": "VALUE", "lease": "LEASE"}  # fmt: skip
_SIGNS = {"=": "EQUAL", "<": "LESS", ">": "GREATER", "!=": "NOT_EQUAL"}


class Wrong(Exception):
    """A command line that etcdctl refuses."""


def hexadecimal(text: str, what: str) -> int:
    """A lease's or member's id. Wrong."""
    try:
        return int(text, 16)
    except ValueError:
        raise Wrong(
            f'bad {what} ID (strconv.ParseInt: parsing "{text}": invalid syntax), expecting ID in Hex'
        ) from None


def lease(words: list[str], flags: dict[str, str], ask: Ask) -> Talk:
    """``lease grant|revoke|timetolive|list|keep-alive``."""
    match words:
        case ["grant", ttl]:
            if not ttl.lstrip("-").isdigit():
                raise Wrong(f'bad TTL (strconv.ParseInt: parsing "{ttl}": invalid syntax)')
            answer = yield from ask(etcd.LeaseGrantRequest(0, int(ttl)))
            return f"lease {answer.lease:016x} granted with TTL({answer.ttl}s)\n"
        case ["revoke", text]:
            id_ = hexadecimal(text, "lease")
            yield from ask(etcd.LeaseRevokeRequest(0, id_))
            return f"lease {id_:016x} revoked\n"
        case ["timetolive", text]:
            keys = "keys" in flags
            answer = yield from ask(etcd.LeaseTimeToLiveRequest(0, hexadecimal(text, "lease"), keys))
            if answer.ttl < 0:
                return f"lease {answer.lease:016x} already expired\n"
            held = " ".join(key.decode("utf-8", "backslashreplace") for key in answer.keys)
            tail = f", attached keys([{held}])" if keys else ""
            return (
                f"lease {answer.lease:016x} granted with TTL({answer.granted_ttl}s), remaining({answer.ttl}s){tail}\n"
            )
        case ["list"]:
            answer = yield from ask(etcd.LeaseLeasesRequest(0))
            return f"found {len(answer.leases)} leases\n" + "".join(f"{id_:016x}\n" for id_ in answer.leases)
        case ["keep-alive", text]:
            if "once" not in flags:
                raise Wrong(
                    "here a lease is kept alive once at a time: add --once (a real etcdctl on the member's own port goes on)"
                )
            answer = yield from ask(etcd.LeaseKeepAliveRequest(0, hexadecimal(text, "lease")))
            return f"lease {answer.lease:016x} " + (
                f"keepalived with TTL({answer.ttl})\n" if answer.ttl else "expired or revoked.\n"
            )
        case _:
            raise Wrong(f'unknown command "{" ".join(words)}" for "etcdctl lease"')


def change(words: list[str], flags: dict[str, str], ask: Ask) -> Talk:
    """``member add|remove|update|promote``."""
    urls = tuple(url for url in flags.get("peers", "").split(",") if url)
    match words:
        case ["add", name]:
            if not urls:
                raise Wrong("member peer urls not provided.")
            answer = yield from ask(etcd.MemberAddRequest(0, urls, "learner" in flags, ""))
            new = answer.member
            initial = [f"{m.name}={url}" for m in answer.members if m.id != new.id for url in m.peer_urls]
            initial += [f"{name}={url}" for url in new.peer_urls]
            return (
                f"Member {new.id:16x} added to cluster {answer.header.cluster_id:16x}\n\n"
                f'ETCD_NAME="{name}"\nETCD_INITIAL_CLUSTER="{",".join(initial)}"\n'
                f'ETCD_INITIAL_ADVERTISE_PEER_URLS="{",".join(new.peer_urls)}"\nETCD_INITIAL_CLUSTER_STATE="existing"\n'
            )
        case ["remove" | "update" | "promote" as what, text]:
            id_ = hexadecimal(text, "member")
            if what == "update" and not urls:
                raise Wrong("member peer urls not provided.")
            kinds = {"remove": etcd.MemberRemoveRequest, "promote": etcd.MemberPromoteRequest}
            request = etcd.MemberUpdateRequest(0, id_, urls) if what == "update" else kinds[what](0, id_)
            answer = yield from ask(request)
            done = {"remove": "removed from", "update": "updated in", "promote": "promoted in"}[what]
            return f"Member {id_:16x} {done} cluster {answer.header.cluster_id:16x}\n"
        case _:
            raise Wrong(f'unknown command "{" ".join(words)}" for "etcdctl member"')


def disarm(ask: Ask) -> Talk:
    """``alarm disarm``: every alarm there is, by name."""
    alarms = (yield from ask(etcd.AlarmRequest(0))).alarms
    text = ""
    for member, alarm in alarms:
        answer = yield from ask(etcd.AlarmRequest(0, "DEACTIVATE", member, alarm))
        text += alarms_text(answer.alarms)
    return text


def alarms_text(alarms: tuple[tuple[int, str], ...]) -> str:
    """A line for each."""
    return "".join(f"memberID:{member} alarm:{alarm} \n" for member, alarm in alarms)


def txn(stdin: str, ask: Ask, pair: Pair) -> Talk:
    """``txn``: comparisons, an empty line, what to do if all hold, an empty line, what to do otherwise."""
    blocks: list[list[str]] = [[], [], []]
    place = 0
    for line in stdin.splitlines():
        if line.strip() and place < 3:
            blocks[place].append(line.strip())
        elif place < 3:
            place += 1
    compares = tuple(_compare(line) for line in blocks[0])
    success, failure = (tuple(_op(line) for line in block) for block in blocks[1:])
    answer = yield from ask(etcd.TxnRequest(0, compares, success, failure))
    text = "SUCCESS\n" if answer.succeeded else "FAILURE\n"
    for op in answer.responses:
        text += "\n"
        if isinstance(op, etcd.PutResponse):
            text += "OK\n" + (pair(op.prev_kv) if op.prev_kv is not None else "")
        elif isinstance(op, etcd.DeleteRangeResponse):
            text += f"{op.deleted}\n" + "".join(map(pair, op.prev_kvs))
        elif isinstance(op, etcd.RangeResponse):
            text += "".join(map(pair, op.kvs))
    return text


def _compare(line: str) -> etcd.Compare:
    found = re.fullmatch(r'(\w+)\("(.*)"\)\s*(!=|=|<|>)\s*"(.*)"', line)
    if found is None or found[1] not in _TARGETS:
        raise Wrong(f"malformed comparison: {line}")
    target = _TARGETS[found[1]]
    value: int | bytes = found[4].encode()
    if target != "VALUE":
        try:
            value = int(found[4], 16 if target == "LEASE" else 10)
        except ValueError:
            raise Wrong(f"invalid txn compare request: {line}") from None
    return etcd.Compare(found[2].encode(), target, _SIGNS[found[3]], value)  # type: ignore[arg-type]


def _op(line: str) -> Any:
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    match words:
        case ["put", key, value]:
            return etcd.PutRequest(0, key.encode(), value.encode())
        case ["get", key, *rest]:
            return etcd.RangeRequest(0, key.encode(), rest[0].encode() if rest else b"")
        case ["del", key, *rest]:
            return etcd.DeleteRangeRequest(0, key.encode(), rest[0].encode() if rest else b"")
        case _:
            raise Wrong(f"invalid txn request: {line}")
