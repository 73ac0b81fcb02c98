"""``etcdctl member``, ``endpoint``, ``alarm``, ``defrag``, ``move-leader``: looking at members and caring for them."""

from typing import Any

from cluster.backup import restore
from cluster.backup.snapshot import Refused
from cluster.shell.commands.etcdctl import telling
from cluster.shell.commands.etcdctl.keys import hexadecimal
from cluster.shell.commands.etcdctl.talk import BAD_ARGS, BAD_FEATURE, Failure, Talk, Talker
from cluster.shell.commands.etcdctl.usage import Line
from cluster.wire import etcd

_ID = "bad member ID arg ({}), expecting ID in Hex"


def member_list(talk: Talker, line: Line) -> Talk:
    answer = yield from talk.ask(etcd.MemberListRequest(0))
    form = line.text("write-out")
    if form in ("json", "fields"):
        talk.ctx.out(telling.dump(telling.answer(answer)) if form == "json" else telling.fields(answer))
        return 0
    rows = [
        [f"{m.id:x}", "started" if m.name else "unstarted", m.name, ",".join(m.peer_urls), ",".join(m.client_urls), _word(m.is_learner)]
        for m in answer.members
    ]  # fmt: skip
    heads = ["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"]
    talk.ctx.out(telling.table(heads, rows) if form == "table" else telling.rows(rows))
    return 0


def member_add(talk: Talker, line: Line) -> Talk:
    if not line.words:
        raise Failure("member name not provided", BAD_ARGS)
    if len(line.words) > 1:
        raise Failure("too many arguments", BAD_ARGS)
    urls = _urls(line)
    answer = yield from talk.ask(etcd.MemberAddRequest(0, urls, line.on("learner"), ""))
    new, name = answer.member, line.words[0]
    _tell(talk, line, answer, f"Member {new.id:16x} added to cluster {answer.header.cluster_id:16x}\n")
    if line.text("write-out") == "simple":
        initial = [f"{m.name}={url}" for m in answer.members if m.id != new.id for url in m.peer_urls]
        initial += [f"{name}={url}" for url in new.peer_urls]
        talk.ctx.out(
            f'\nETCD_NAME="{name}"\nETCD_INITIAL_CLUSTER="{",".join(initial)}"\n'
            f'ETCD_INITIAL_ADVERTISE_PEER_URLS="{",".join(new.peer_urls)}"\nETCD_INITIAL_CLUSTER_STATE="existing"\n'
        )
    return 0


def member_remove(talk: Talker, line: Line) -> Talk:
    id_ = _member_id(line)
    answer = yield from talk.ask(etcd.MemberRemoveRequest(0, id_))
    _tell(talk, line, answer, f"Member {id_:16x} removed from cluster {answer.header.cluster_id:16x}\n")
    return 0


def member_update(talk: Talker, line: Line) -> Talk:
    id_ = _member_id(line)
    answer = yield from talk.ask(etcd.MemberUpdateRequest(0, id_, _urls(line)))
    _tell(talk, line, answer, f"Member {id_:16x} updated in cluster {answer.header.cluster_id:16x}\n")
    return 0


def member_promote(talk: Talker, line: Line) -> Talk:
    id_ = _member_id(line)
    answer = yield from talk.ask(etcd.MemberPromoteRequest(0, id_))
    _tell(talk, line, answer, f"Member {id_:16x} promoted in cluster {answer.header.cluster_id:16x}\n")
    return 0


def _member_id(line: Line) -> int:
    if len(line.words) != 1:
        raise Failure("member ID is not provided", BAD_ARGS)
    return hexadecimal(line.words[0], _ID, signed=False)


def _urls(line: Line) -> tuple[str, ...]:
    if not line.text("peer-urls"):
        raise Failure("member peer urls not provided", BAD_ARGS)
    try:
        return restore.urls(line.text("peer-urls").split(","))
    except Refused as why:
        raise Failure(str(why)) from None


def _tell(talk: Talker, line: Line, answer: etcd.MemberResponse, simple: str) -> None:
    form = line.text("write-out")
    talk.ctx.out(
        telling.dump(telling.answer(answer))
        if form == "json"
        else telling.fields(answer)
        if form == "fields"
        else simple
    )


def _word(value: bool) -> str:
    return "true" if value else "false"


# -- endpoint -----------------------------------------------------------------------------------------------------------


def endpoint_status(talk: Talker, line: Line) -> Talk:
    found: list[tuple[str, etcd.StatusResponse]] = []
    code = 0
    for one in (yield from talk.every()):
        try:
            found.append((one, (yield from talk.ask(etcd.StatusRequest(0), one))))
        except Failure as failure:
            talk.ctx.err(f"Failed to get the status of endpoint {one} ({failure})\n")
            code = 1
    form = line.text("write-out")
    if form == "json":
        talk.ctx.out(telling.dump([{"Endpoint": one, "Status": telling.status(s)} for one, s in found]))
    elif form == "fields":
        for one, s in found:
            errors = " ".join(telling.quoted(error.encode()) for error in s.errors)
            talk.ctx.out(telling.header_fields(s.header) + telling.lines(
                ("Version", s.version), ("DBSize", s.db_size), ("Leader", s.leader), ("IsLearner", s.is_learner),
                ("RaftIndex", s.raft_index), ("RaftTerm", s.raft_term), ("RaftAppliedIndex", s.raft_applied_index))
                + f'"Errors" : [{errors}]\n' + telling.lines(("Endpoint", one)) + "\n")  # fmt: skip
    else:
        rows = [
            [one, f"{s.header.member_id:x}", s.version, telling.size(s.db_size), _word(s.leader == s.header.member_id), _word(s.is_learner),
             str(s.raft_term), str(s.raft_index), str(s.raft_applied_index), ", ".join(s.errors)] for one, s in found
        ]  # fmt: skip
        heads = [
            "ENDPOINT",
            "ID",
            "VERSION",
            "DB SIZE",
            "IS LEADER",
            "IS LEARNER",
            "RAFT TERM",
            "RAFT INDEX",
            "RAFT APPLIED INDEX",
            "ERRORS",
        ]
        talk.ctx.out(telling.table(heads, rows) if form == "table" else telling.rows(rows))
    return code


def endpoint_health(talk: Talker, line: Line) -> Talk:
    found: list[dict[str, Any]] = []
    for one in (yield from talk.every()):
        began = talk.ctx.now
        row: dict[str, Any] = {"endpoint": one, "health": True}
        try:
            yield from talk.ask(etcd.RangeRequest(0, b"health"), one)
            row["took"] = telling.took(talk.ctx.now - began)
            alarms = yield from talk.ask(etcd.AlarmRequest(0), one)
            if alarms.alarms:
                row |= {"health": False, "error": "Active Alarm(s): " + " ".join(kind for _, kind in alarms.alarms)}
        except Failure as failure:
            row |= {"health": False, "took": telling.took(talk.ctx.now - began), "error": str(failure)}
        found.append(row)
    form = line.text("write-out")
    if form == "json":
        talk.ctx.out(telling.dump(found))
    elif form == "fields":
        for row in found:
            talk.ctx.out(
                telling.lines(("Health", row["health"]), ("Took", row["took"]), ("Error", row.get("error", "")))
            )
    elif form == "table":
        rows = [[row["endpoint"], _word(row["health"]), row["took"], row.get("error", "")] for row in found]
        talk.ctx.out(telling.table(["ENDPOINT", "HEALTH", "TOOK", "ERROR"], rows))
    else:
        for row in found:
            if row["health"]:
                talk.ctx.out(f"{row['endpoint']} is healthy: successfully committed proposal: took = {row['took']}\n")
            else:
                talk.ctx.err(f"{row['endpoint']} is unhealthy: failed to commit proposal: {row['error']}\n")
    if not all(row["health"] for row in found):
        raise Failure("unhealthy cluster")
    return 0


def endpoint_hashkv(talk: Talker, line: Line) -> Talk:
    found: list[tuple[str, etcd.HashKVResponse]] = []
    code = 0
    for one in (yield from talk.every()):
        try:
            found.append((one, (yield from talk.ask(etcd.HashKVRequest(0, line.number("rev")), one))))
        except Failure as failure:
            talk.ctx.err(f"Failed to get the hash of endpoint {one} ({failure})\n")
            code = 1
    form = line.text("write-out")
    if form == "json":
        rows_ = [
            {"Endpoint": one, "HashKV": {"header": telling.header(h.header), **telling.some({"hash": h.hash, "compact_revision": h.compact_revision})}}
            for one, h in found
        ]  # fmt: skip
        talk.ctx.out(telling.dump(rows_))
    elif form == "fields":
        for one, h in found:
            talk.ctx.out(telling.header_fields(h.header) + telling.lines(("Endpoint", one), ("Hash", h.hash)) + "\n")
    else:
        rows = [[one, str(h.hash)] for one, h in found]
        talk.ctx.out(telling.table(["ENDPOINT", "HASH"], rows) if form == "table" else telling.rows(rows))
    return code


# -- alarms, defragmentation, leadership ---------------------------------------------------------------------------------


def alarm_list(talk: Talker, line: Line) -> Talk:
    if line.words:
        raise Failure("alarm list command accepts no arguments", BAD_ARGS)
    _alarms(talk, line, (yield from talk.ask(etcd.AlarmRequest(0))))
    return 0


def alarm_disarm(talk: Talker, line: Line) -> Talk:
    """Every alarm there is, by name."""
    if line.words:
        raise Failure("alarm disarm command accepts no arguments", BAD_ARGS)
    first = yield from talk.ask(etcd.AlarmRequest(0))
    gone: list[tuple[int, str]] = []
    last = first
    for member, alarm in first.alarms:
        last = yield from talk.ask(etcd.AlarmRequest(0, "DEACTIVATE", member, alarm))
        gone += last.alarms
    _alarms(talk, line, etcd.AlarmResponse(0, last.header, tuple(gone)))
    return 0


def _alarms(talk: Talker, line: Line, answer: etcd.AlarmResponse) -> None:
    match line.text("write-out"):
        case "json":
            talk.ctx.out(telling.dump(telling.answer(answer)))
        case "fields":
            rows = [telling.lines(("MemberID", id_)) + f'"AlarmType" : {kind}\n\n' for id_, kind in answer.alarms]
            talk.ctx.out(telling.header_fields(answer.header) + "".join(rows))
        case _:
            talk.ctx.out("".join(f"memberID:{id_} alarm:{kind} \n" for id_, kind in answer.alarms))


def defrag(talk: Talker, line: Line) -> Talk:
    if line.text("data-dir"):
        raise Failure(
            "--data-dir: the database of a stopped member is not defragmented here; start it and name its endpoint",
            BAD_FEATURE,
        )
    code = 0
    for one in (yield from talk.every()):
        try:
            yield from talk.ask(etcd.DefragmentRequest(0), one)
            talk.ctx.out(f"Finished defragmenting etcd member[{one}]\n")
        except Failure as failure:
            talk.ctx.err(f"Failed to defragment etcd member[{one}] ({failure})\n")
            code = 1
    return code


def move_leader(talk: Talker, line: Line) -> Talk:
    if len(line.words) != 1:
        raise Failure("move-leader command needs 1 argument", BAD_ARGS)
    target = hexadecimal(line.words[0], "{}", signed=False)
    for one in talk.endpoints:
        try:
            status = yield from talk.ask(etcd.StatusRequest(0), one)
        except Failure as failure:
            raise Failure(str(failure)) from None
        if status.leader == status.header.member_id:
            yield from talk.ask(etcd.MoveLeaderRequest(0, target), one)
            talk.ctx.out(f"Leadership transferred from {status.leader:x} to {target:x}\n")
            return 0
    raise Failure(f"no leader endpoint given at [{' '.join(talk.endpoints)}]", BAD_ARGS)
