"""``etcdctl get``, ``put``, ``del``, ``compaction``, ``txn``: what is asked of the key space."""

import re
import shlex
from typing import Any

from cluster.shell.commands.etcdctl import telling
from cluster.shell.commands.etcdctl.talk import BAD_ARGS, BAD_FEATURE, INVALID_INPUT, Failure, Talk, Talker
from cluster.shell.commands.etcdctl.usage import Line, Misused, Unknown, read
from cluster.wire import etcd

_SORT = {"": "KEY", "CREATE": "CREATE", "KEY": "KEY", "MODIFY": "MOD", "VALUE": "VALUE", "VERSION": "VERSION"}
_TARGETS = {"ver": "VERSION", "version": "VERSION", "create": "CREATE", "c": "CREATE", "mod": "MOD", "m": "MOD",
            "value": "VALUE", "val": "VALUE", "lease": "LEASE"}  # fmt: skip
_SIGNS = {"=": "EQUAL", "<": "LESS", ">": "GREATER", "!=": "NOT_EQUAL"}


def as_bytes(text: str) -> bytes:
    """A word as the bytes that were typed."""
    return text.encode("utf-8", "surrogateescape")


def hexadecimal(text: str, complaint: str, signed: bool = True) -> int:
    """An id. Failure with ``complaint``, in which ``{}`` is Go's reason."""
    if re.fullmatch(r"[+-]?[0-9a-fA-F]{1,16}" if signed else r"[0-9a-fA-F]{1,16}", text) is None:
        what = "ParseInt" if signed else "ParseUint"
        long = re.fullmatch(r"[+-]?[0-9a-fA-F]+", text) is not None
        raise Failure(
            complaint.format(f'strconv.{what}: parsing "{text}": {"value out of range" if long else "invalid syntax"}'),
            BAD_ARGS,
        )
    return int(text, 16)


def range_end(line: Line, key: str, rest: list[str]) -> bytes:
    """The end of the range that the flags and words mean."""
    if line.on("from-key"):
        return b"\0"
    if line.on("prefix"):
        data = bytearray(as_bytes(key))
        while data and data[-1] == 0xFF:
            data.pop()
        if not data:
            return b"\0"
        data[-1] += 1
        return bytes(data)
    return as_bytes(rest[0]) if rest else b""


def _one_range(line: Line, what: str) -> tuple[str, list[str]]:
    if not line.words:
        raise Failure(f"{what} command needs one argument as key and an optional argument as range_end", BAD_ARGS)
    if line.on("prefix") and line.on("from-key"):
        raise Failure("`--prefix` and `--from-key` cannot be set at the same time, choose one", BAD_ARGS)
    if len(line.words) > 1 and (line.on("prefix") or line.on("from-key")):
        raise Failure("too many arguments, only accept one argument when `--prefix` or `--from-key` is set", BAD_ARGS)
    return line.words[0], line.words[1:2]


def get_request(line: Line) -> etcd.RangeRequest:
    """What ``get`` asks for. Failure."""
    consistency = line.text("consistency")
    if consistency not in ("l", "s"):
        raise Failure(f'unknown consistency flag "{consistency}"', BAD_FEATURE)
    key, rest = _one_range(line, "get")
    if line.on("keys-only") and line.on("count-only"):
        raise Failure("`--keys-only` and `--count-only` cannot be set at the same time, choose one", BAD_ARGS)
    order, by = line.text("order").upper(), line.text("sort-by").upper()
    if order not in ("", "ASCEND", "DESCEND"):
        raise Failure(f"bad sort order {line.text('order')}", BAD_FEATURE)
    if by not in _SORT:
        raise Failure(f"bad sort target {line.text('sort-by')}", BAD_FEATURE)
    order = order or ("ASCEND" if by else "NONE")
    end = range_end(line, key, rest)
    first = as_bytes(key) or (b"\0" if end else b"")
    return etcd.RangeRequest(
        0, first, end, limit=line.number("limit"), revision=line.number("rev"), serializable=consistency == "s",
        keys_only=line.on("keys-only"), count_only=line.on("count-only"), sort_order=order, sort_target=_SORT[by],  # type: ignore[arg-type]
    )  # type: ignore[arg-type]  # fmt: skip


def put_request(line: Line, stdin: str) -> etcd.PutRequest:
    """What ``put`` asks for. Failure."""
    same = line.on("ignore-value")
    if not line.words:
        raise Failure("put command needs 1 argument and input from stdin or 2 arguments", BAD_ARGS)
    if same and len(line.words) > 1:
        raise Failure("put command needs only 1 argument when 'ignore-value' is set", BAD_ARGS)
    if not same and len(line.words) == 1 and not stdin:
        raise Failure("put command needs 1 argument and input from stdin or 2 arguments", BAD_ARGS)
    lease = hexadecimal(line.text("lease"), "bad lease ID ({}), expecting ID in Hex")
    value = "" if same else line.words[1] if len(line.words) > 1 else stdin
    return etcd.PutRequest(
        0, as_bytes(line.words[0]), as_bytes(value), lease, line.on("prev-kv"), same, line.on("ignore-lease")
    )


def del_request(line: Line) -> etcd.DeleteRangeRequest:
    """What ``del`` asks for. Failure."""
    key, rest = _one_range(line, "del")
    end = range_end(line, key, rest)
    return etcd.DeleteRangeRequest(0, as_bytes(key) or (b"\0" if end else b""), end, line.on("prev-kv"))


def shown(answer: Any, line: Line) -> str:
    """An answer in the format asked for."""
    match line.text("write-out"):
        case "json":
            return telling.dump(telling.answer(answer))
        case "fields":
            return telling.fields(answer)
        case _:
            return simple(answer, line)


def simple(a: Any, line: Line) -> str:
    """An answer as lines."""
    hexed = line.on("hex")
    match a:
        case etcd.RangeResponse() if line.on("count-only"):
            return f"{a.count}\n"
        case etcd.RangeResponse():
            return "".join(telling.pair(kv, hexed, line.on("print-value-only")) for kv in a.kvs)
        case etcd.PutResponse():
            return "OK\n" + (telling.pair(a.prev_kv, hexed) if a.prev_kv is not None else "")
        case etcd.DeleteRangeResponse():
            return f"{a.deleted}\n" + "".join(telling.pair(kv, hexed) for kv in a.prev_kvs)
        case etcd.TxnResponse():
            return ("SUCCESS\n" if a.succeeded else "FAILURE\n") + "".join(
                "\n" + simple(op, line) for op in a.responses
            )
        case _:
            return ""


def get(talk: Talker, line: Line) -> Talk:
    talk.ctx.out(shown((yield from talk.ask(get_request(line))), line))
    return 0


def put(talk: Talker, line: Line) -> Talk:
    talk.ctx.out(shown((yield from talk.ask(put_request(line, talk.ctx.stdin))), line))
    return 0


def delete(talk: Talker, line: Line) -> Talk:
    talk.ctx.out(shown((yield from talk.ask(del_request(line))), line))
    return 0


def compaction(talk: Talker, line: Line) -> Talk:
    if len(line.words) != 1:
        raise Failure("compaction command needs 1 argument", BAD_ARGS)
    text = line.words[0]
    if re.fullmatch(r"[+-]?\d{1,18}", text) is None:
        raise Failure(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    yield from talk.ask(etcd.CompactionRequest(0, int(text), line.on("physical")))
    talk.ctx.out(f"compacted revision {int(text)}\n")
    return 0


# -- txn ----------------------------------------------------------------------------------------------------------------


def txn(talk: Talker, line: Line) -> Talk:
    """Comparisons, an empty line, what to do if all hold, an empty line, what to do otherwise."""
    if line.words:
        raise Failure("txn command does not accept argument", BAD_ARGS)
    asked = line.on("interactive")
    blocks: list[list[str]] = [[], [], []]
    place = 0
    for text in talk.ctx.stdin.splitlines():
        if text.strip() and place < 3:
            blocks[place].append(text.strip())
        elif place < 3:
            place += 1
    parts = (
        (_compare, "compares:\n"),
        (_op, "success requests (get, put, del):\n"),
        (_op, "failure requests (get, put, del):\n"),
    )
    made: list[tuple[Any, ...]] = []
    for (make, prompt), block in zip(parts, blocks, strict=True):
        if asked:
            talk.ctx.out(prompt)
        made.append(tuple(make(text) for text in block))
    answer = yield from talk.ask(etcd.TxnRequest(0, *made))
    talk.ctx.out(shown(answer, line))
    return 0


def _compare(text: str) -> etcd.Compare:
    found = re.fullmatch(r'(\w+)\("(.*)"\)\s*(!=|=|<|>)\s*"(.*)"', text)
    if found is None:
        raise Failure(f"malformed comparison: {text}", INVALID_INPUT)
    if found[1] not in _TARGETS:
        raise Failure(f"malformed comparison: {text} (unknown target {found[1]})", INVALID_INPUT)
    target = _TARGETS[found[1]]
    value: int | bytes = as_bytes(found[4])
    if target != "VALUE":
        try:
            value = int(found[4], 16 if target == "LEASE" else 10)
        except ValueError:
            raise Failure(f"invalid txn compare request: {text}", INVALID_INPUT) from None
    return etcd.Compare(as_bytes(found[2]), target, _SIGNS[found[3]], value)  # type: ignore[arg-type]


def _op(text: str) -> Any:
    wrong = Failure(f"invalid txn request: {text}", INVALID_INPUT)
    try:
        words = shlex.split(text)
        line = read(words)
    except (ValueError, Misused, Unknown):
        raise wrong from None
    if len(words) < 2:
        raise Failure(f"invalid txn compare request: {text}", INVALID_INPUT)
    match line.command:
        case "put":
            return put_request(line, "")
        case "get":
            return get_request(line)
        case "del":
            return del_request(line)
        case _:
            raise wrong
