"""``etcdctl``: ask the etcd members themselves. ``etcdutl``'s half, files without a server, is ``commands.etcdutl``.

Only the API server talks to etcd in a cluster; this is the operator's back door, and what it shows is what the API server stores:
``etcdctl get /registry/pods --prefix --keys-only``. Which endpoint is whose: ``talk``.

It prints what etcdctl 3.5 prints, errors and exit statuses included; a test compares it with the real tool word by word (tests/explainer/test_etcdctl_same.py).

Simplified here: ``auth``, ``user`` and ``role`` refuse by name (the members keep users: ask them with a real etcdctl), so do ``make-mirror``, ``migrate`` and
``-w protobuf``; TLS flags are taken and not needed;
values are the JSON that this etcd holds (a real one holds protobuf). Upstream: etcd 3.5 etcdctl/ctlv3.
"""

from collections.abc import Callable

from cluster.shell.commands.etcdctl import care, check, keys, leasing, saving, usage, watching
from cluster.shell.commands.etcdctl.talk import BAD_FEATURE, Failure, Talk, Talker
from cluster.shell.commands.etcdctl.usage import Line, Misused, Unknown
from cluster.shell.interpreter import Context, Run

NAMES = ("etcdctl",)
VERSION = usage.VERSION
_TALKS: dict[str, Callable[[Talker, Line], Talk]] = {
    "get": keys.get, "put": keys.put, "del": keys.delete, "compaction": keys.compaction, "txn": keys.txn,
    "member list": care.member_list, "member add": care.member_add, "member remove": care.member_remove,
    "member update": care.member_update, "member promote": care.member_promote,
    "endpoint status": care.endpoint_status, "endpoint health": care.endpoint_health, "endpoint hashkv": care.endpoint_hashkv,
    "alarm list": care.alarm_list, "alarm disarm": care.alarm_disarm, "defrag": care.defrag, "move-leader": care.move_leader,
    "lease grant": leasing.grant, "lease revoke": leasing.revoke, "lease timetolive": leasing.timetolive, "lease list": leasing.listing,
    "lease keep-alive": leasing.keep_alive, "lock": leasing.lock, "elect": leasing.elect, "watch": watching.watch,
    "snapshot save": saving.save, "check perf": check.perf, "check datascale": check.datascale,
}  # fmt: skip
_TABLES = ("member list", "endpoint status", "endpoint health", "endpoint hashkv", "snapshot status")
_GROUPS = ("alarm", "auth", "check", "endpoint", "lease", "member", "role", "snapshot", "user")
_NOT_HERE = {
    "auth": "authentication is off and stays off: the members' doors are open to whoever reaches them",
    "user": "this console has no such command; a real etcdctl at a member's port has, and the members keep users",
    "role": "this console has no such command; a real etcdctl at a member's port has, and the members keep roles",
    "make-mirror": "there is one cluster in this world, and no other to mirror it to",
    "migrate": "there is no store of etcd 2 to migrate",
}  # fmt: skip


def run(ctx: Context) -> Run:
    """Statuses as etcdctl's: 128 for arguments, 4 for what isn't there, 1 for most errors."""
    try:
        line = usage.read(ctx.args)
    except Unknown as unknown:
        text = f'Error: unknown command "{unknown}" for "etcdctl"\n'
        ctx.err(f"{text}Run 'etcdctl --help' for usage.\n{text}")
        return 1
    except Misused as misused:
        ctx.out(usage.usage(misused.command))
        ctx.err(f"Error: {misused}\n\nError: {misused}\n")
        return 1
    try:
        return (yield from _command(ctx, line))
    except Failure as failure:
        ctx.err(f"Error: {failure}\n")
        return failure.code


def _command(ctx: Context, line: Line) -> Run:
    command = line.command
    if command == "version":
        ctx.out(f"etcdctl version: {usage.VERSION}\nAPI version: {usage.API}\n")
        return 0
    if command in ("", "help") or line.on("help") or command in _GROUPS:
        topic = " ".join(line.words) if command == "help" else command
        ctx.out(usage.usage(topic if usage.known(topic) else ""))
        return 0
    reason = _NOT_HERE.get(command.split(" ")[0])
    if reason is not None:
        raise Failure(f"{command}: {reason}", BAD_FEATURE)
    form = line.text("write-out")
    if form not in ("simple", "json", "fields", "table", "protobuf"):
        raise Failure("unsupported output format", BAD_FEATURE)
    if form == "protobuf":
        raise Failure("-w protobuf prints bytes that a page cannot show; take json or fields", BAD_FEATURE)
    if command == "snapshot status":
        ctx.err(saving.DEPRECATED.format("status"))
        return saving.status(ctx, line)
    talk = Talker(ctx, line)
    if command == "snapshot restore":
        ctx.err(saving.DEPRECATED.format("restore"))
        return saving.restored(ctx, saving.flags_of(line), line.words, talk.stamp())
    if not ctx.config.members:
        raise Failure("no etcd members are known to this console")
    if form == "table" and command not in _TABLES:
        raise Failure("table not supported as output format", BAD_FEATURE)
    return (yield from _TALKS[command](talk, line))
