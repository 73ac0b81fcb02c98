"""How ``etcdctl`` prints: ``-w simple``, ``json``, ``fields`` and ``table``, each as Go prints it.

In → answers of members (``cluster.wire.etcd``); out → text. Fields that are empty are left out of JSON, as Go's ``omitempty`` does; texts in ``fields`` are
quoted as Go's ``%q``. Upstream: etcdctl/ctlv3/command/printer_{simple,json,fields,table}.go.
"""

from base64 import b64encode
from typing import Any

import orjson

from cluster.wire import etcd

Doc = dict[str, Any]
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}


def text(data: bytes, hexed: bool = False) -> str:
    """A key or value as it is; with ``--hex`` byte by byte."""
    return "".join(f"\\x{byte:02x}" for byte in data) if hexed else data.decode("utf-8", "surrogateescape")


def pair(kv: etcd.KeyValue, hexed: bool = False, value_only: bool = False) -> str:
    """Key and value, a line each."""
    return ("" if value_only else text(kv.key, hexed) + "\n") + text(kv.value, hexed) + "\n"


def quoted(data: bytes) -> str:
    """Go's ``%q``."""
    out = ""
    for letter in data.decode("utf-8", "surrogateescape"):
        code = ord(letter)
        if letter in _ESCAPES:
            out += _ESCAPES[letter]
        elif 0xDC80 <= code <= 0xDCFF:
            out += f"\\x{code - 0xDC00:02x}"
        elif code < 0x20 or code == 0x7F:
            out += f"\\x{code:02x}"
        elif not letter.isprintable():
            out += f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
        else:
            out += letter
    return f'"{out}"'


def dump(doc: Any) -> str:
    """As Go prints a struct: fields in their order, and a line's end."""
    return orjson.dumps(doc).decode().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") + "\n"


def some(doc: Doc) -> Doc:
    """Without what is empty."""
    return {name: value for name, value in doc.items() if value}


# -- json -------------------------------------------------------------------------------------------------------------


def header(h: etcd.ResponseHeader) -> Doc:
    """The header as JSON."""
    return some(
        {"cluster_id": h.cluster_id, "member_id": h.member_id, "revision": h.revision, "raft_term": h.raft_term}
    )


def kv(one: etcd.KeyValue) -> Doc:
    """mvccpb.KeyValue as JSON."""
    return some({
        "key": b64encode(one.key).decode(), "create_revision": one.create_revision, "mod_revision": one.mod_revision,
        "version": one.version, "value": b64encode(one.value).decode(), "lease": one.lease,
    })  # fmt: skip


def answer(a: Any, inner: bool = False) -> Doc:
    """The answer to a get, put, del, txn or change of members as JSON. ``inner``: within a transaction, whose header says its revision only."""
    head = {"revision": a.header.revision} if inner else header(a.header)
    match a:
        case etcd.RangeResponse():
            rest: Doc = {"kvs": [kv(one) for one in a.kvs], "more": a.more, "count": a.count}
        case etcd.PutResponse():
            rest = {"prev_kv": kv(a.prev_kv) if a.prev_kv is not None else None}
        case etcd.DeleteRangeResponse():
            rest = {"deleted": a.deleted, "prev_kvs": [kv(one) for one in a.prev_kvs]}
        case etcd.TxnResponse():
            rest = {
                "succeeded": a.succeeded,
                "responses": [{"Response": {_KIND[type(op)]: answer(op, True)}} for op in a.responses],
            }
        case etcd.MemberResponse():
            rest = {
                "member": member(a.member) if a.member is not None else None,
                "members": [member(m) for m in a.members],
            }
        case etcd.AlarmResponse():
            kinds = {"NOSPACE": 1, "CORRUPT": 2}
            rest = {"alarms": [some({"memberID": id_, "alarm": kinds.get(kind, 0)}) for id_, kind in a.alarms]}
        case _:
            rest = {}
    return {"header": head, **some(rest)}


_KIND = {
    etcd.RangeResponse: "ResponseRange", etcd.PutResponse: "ResponsePut", etcd.DeleteRangeResponse: "ResponseDeleteRange",
    etcd.TxnResponse: "ResponseTxn",
}  # fmt: skip


def member(m: etcd.Member) -> Doc:
    """A member as JSON."""
    return some(
        {
            "ID": m.id,
            "name": m.name,
            "peerURLs": list(m.peer_urls),
            "clientURLs": list(m.client_urls),
            "isLearner": m.is_learner,
        }
    )


def status(s: etcd.StatusResponse) -> Doc:
    """A member's status as JSON."""
    return {"header": header(s.header), **some({
        "version": s.version, "dbSize": s.db_size, "leader": s.leader, "raftIndex": s.raft_index, "raftTerm": s.raft_term,
        "raftAppliedIndex": s.raft_applied_index, "errors": list(s.errors), "dbSizeInUse": s.db_size_in_use, "isLearner": s.is_learner,
    })}  # fmt: skip


def watch(w: etcd.WatchResponse) -> Doc:
    """A watch's answer as JSON."""
    events = [
        some({"type": 1 if e.type == "DELETE" else 0, "kv": kv(e.kv), "prev_kv": kv(e.prev_kv) if e.prev_kv else None})
        for e in w.events
    ]
    head = header(w.header)
    if w.canceled:
        head.pop("revision", None)
    return {
        "Header": head,
        "Events": events,
        "CompactRevision": w.compact_revision,
        "Canceled": w.canceled,
        "Created": w.created,
    }


# -- fields ------------------------------------------------------------------------------------------------------------


def lines(*rows: tuple[str, Any]) -> str:
    """``"Name" : value`` a line."""
    return "".join(f'"{name}" : {_value(value)}\n' for name, value in rows)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        quoted(value) if isinstance(value, bytes) else quoted(value.encode()) if isinstance(value, str) else str(value)
    )


def header_fields(h: etcd.ResponseHeader) -> str:
    """The four lines that every answer begins with."""
    return lines(
        ("ClusterID", h.cluster_id), ("MemberID", h.member_id), ("Revision", h.revision), ("RaftTerm", h.raft_term)
    )


def kv_fields(one: etcd.KeyValue, before: str = "") -> str:
    """A pair; ``before`` goes before each name."""
    return lines(
        (f"{before}Key", one.key), (f"{before}CreateRevision", one.create_revision), (f"{before}ModRevision", one.mod_revision),
        (f"{before}Version", one.version), (f"{before}Value", one.value), (f"{before}Lease", one.lease),
    )  # fmt: skip


def fields(a: Any, inner: bool = False) -> str:
    """The answer to a get, put, del, txn or change of members."""
    head = header_fields(etcd.ResponseHeader(0, 0, a.header.revision, 0) if inner else a.header)
    match a:
        case etcd.RangeResponse():
            return head + "".join(kv_fields(one) for one in a.kvs) + lines(("More", a.more), ("Count", a.count))
        case etcd.PutResponse():
            return head + (kv_fields(a.prev_kv, "Prev") if a.prev_kv is not None else "")
        case etcd.DeleteRangeResponse():
            return head + lines(("Deleted", len(a.prev_kvs))) + "".join(kv_fields(one, "Prev") for one in a.prev_kvs)
        case etcd.TxnResponse():
            return head + lines(("Succeeded", a.succeeded)) + "".join(fields(op, True) for op in a.responses)
        case etcd.MemberResponse() if a.member is None and a.members:
            rows = [
                lines(("ID", m.id), ("Name", m.name), *(("PeerURL", url) for url in m.peer_urls), *(("ClientURL", url) for url in m.client_urls),
                      ("IsLearner", m.is_learner)) + "\n" for m in a.members
            ]  # fmt: skip
            return head + "".join(rows)
        case _:
            return head


def watch_fields(w: etcd.WatchResponse) -> str:
    """A watch's answer."""
    head = (
        w.header
        if not w.canceled
        else etcd.ResponseHeader(w.header.cluster_id, w.header.member_id, 0, w.header.raft_term)
    )
    out = header_fields(head)
    for event in w.events:
        out += (
            f'"Type" : {event.type}\n'
            + (kv_fields(event.prev_kv, "Prev") if event.prev_kv is not None else "")
            + kv_fields(event.kv)
        )
    return out


# -- table -------------------------------------------------------------------------------------------------------------


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A frame of dashes; heads in the middle, cells at the right."""
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(heads))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+\n"
    head = "|" + "|".join(f" {_middle(cell, width)} " for cell, width in zip(heads, widths, strict=True)) + "|\n"
    body = [
        "|" + "|".join(f" {cell:>{width}} " for cell, width in zip(row, widths, strict=True)) + "|\n" for row in rows
    ]
    return rule + head + rule + "".join(body) + (rule if rows else "")


def _middle(cell: str, width: int) -> str:
    """What is over goes to the right."""
    room = width - len(cell)
    return " " * (room // 2) + cell + " " * (room - room // 2)


def rows(found: list[list[str]]) -> str:
    """Cells with commas between them."""
    return "".join(", ".join(row) + "\n" for row in found)


def size(count: int) -> str:
    """go-humanize's bytes: two digits."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"


def took(ns: int) -> str:
    """Go's ``time.Duration``."""
    if ns < 1_000_000_000:
        unit, scale = ("µs", 1_000) if ns < 1_000_000 else ("ms", 1_000_000)
        return f"{ns / scale:.6f}".rstrip("0").rstrip(".") + unit
    return f"{ns / 1_000_000_000:.9f}".rstrip("0").rstrip(".") + "s"
