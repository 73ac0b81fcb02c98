"""``snapshot save|status|restore`` of ``etcdctl`` and ``etcdutl``: files of the desk, or of the simulated host one is logged in on.

Errors: ``Failure``. Upstream: etcdctl/ctlv3/command/snapshot_command.go, etcdutl/etcdutl/snapshot_command.go.
"""

from collections.abc import Mapping

import orjson

from cluster.backup import restore, snapshot
from cluster.backup.snapshot import Refused
from cluster.shell.commands.etcdctl import telling
from cluster.shell.commands.etcdctl.talk import BAD_ARGS, Failure, Talk, Talker
from cluster.shell.commands.etcdctl.usage import Line
from cluster.shell.interpreter import Context
from cluster.shell.session import FileError
from cluster.sim.clock import SECOND
from cluster.wire import etcd

DEPRECATED = "Deprecated: Use `etcdutl snapshot {}` instead.\n\n"


def save(talk: Talker, line: Line) -> Talk:
    """Fetch the database of one member into a file."""
    if len(line.words) != 1:
        raise Failure("snapshot save expects one argument", BAD_ARGS)
    if len(talk.endpoints) != 1:
        raise Failure(f"snapshot must be requested to one selected node, not multiple {_go(talk.endpoints)}", BAD_ARGS)
    path, endpoint, began = line.words[0], talk.endpoints[0], talk.ctx.now
    _log(talk.ctx, talk.stamp(), "created temporary db file", path=f"{path}.part")
    answer = yield from talk.ask(etcd.SnapshotRequest(0))
    _log(talk.ctx, talk.stamp(), "fetching snapshot", endpoint=endpoint)
    write(talk.ctx, path, answer.blob, "could not open {}.part")
    took = (talk.ctx.now - began) / SECOND
    size = telling.size(len(answer.blob))
    _log(
        talk.ctx,
        talk.stamp(),
        "fetched snapshot",
        endpoint=endpoint,
        size=size,
        took=f"{took:.9f}".rstrip("0").rstrip(".") + "s",
    )
    _log(talk.ctx, talk.stamp(), "saved", path=path)
    talk.ctx.out(f"Snapshot saved at {path}\n")
    return 0


def _go(words: list[str]) -> str:
    return "[" + " ".join(words) + "]"


def write(ctx: Context, path: str, data: bytes, complaint: str = "open {}") -> None:
    """Failure in Go's words."""
    try:
        ctx.files.write_bytes(path, data)
    except FileError as why:
        raise Failure(f"{complaint.format(path)}: {str(why).lower()}") from None


def read(ctx: Context, path: str, verb: str) -> bytes:
    """The file's bytes. Failure."""
    try:
        return ctx.files.read_bytes(path)
    except FileError as why:
        raise Failure(f"{verb} {path}: {str(why).lower()}") from None


def _log(ctx: Context, stamp: str, message: str, **facts: object) -> None:
    caller = {"created temporary db file": 65, "fetching snapshot": 73, "fetched snapshot": 88, "saved": 97}[message]
    head = {"level": "info", "ts": stamp, "caller": f"snapshot/v3_snapshot.go:{caller}", "msg": message}
    ctx.err(orjson.dumps({**head, **facts}).decode() + "\n")


def status(ctx: Context, line: Line) -> int:
    """What is in a snapshot file."""
    if len(line.words) != 1:
        raise Failure("snapshot status requires exactly one argument", BAD_ARGS)
    data = read(ctx, line.words[0], "stat")
    try:
        found = snapshot.status(data)
    except Refused as why:
        raise Failure(str(why)) from None
    cells = [f"{found.hash:x}", str(found.revision), str(found.total_key), telling.size(found.total_size)]
    match line.text("write-out"):
        case "json":
            doc = {
                "hash": found.hash,
                "revision": found.revision,
                "totalKey": found.total_key,
                "totalSize": found.total_size,
            }
            ctx.out(telling.dump(doc))
        case "fields":
            ctx.out(
                telling.lines(
                    ("Hash", found.hash),
                    ("Revision", found.revision),
                    ("Keys", found.total_key),
                    ("Size", found.total_size),
                )
            )
        case "table":
            ctx.out(telling.table(["HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE"], [cells]))
        case _:
            ctx.out(telling.rows([cells]))
    return 0


def restored(ctx: Context, flags: restore.Flags, words: list[str], stamp: str) -> int:
    """Make a data directory of a snapshot."""
    if len(words) != 1:
        raise Failure("snapshot restore requires exactly one argument", BAD_ARGS)
    try:
        restore.check_bump(flags)
        if flags.wal_dir:
            raise Failure("--wal-dir: here the log lies in the data directory")
        made = restore.plan(flags)
    except Refused as why:
        raise Failure(str(why), BAD_ARGS if "mark-compacted" in str(why) else 1) from None
    folder = flags.data_dir or f"{flags.name}.etcd"
    if ctx.files.below(folder) or ctx.files.exists(folder):
        raise Failure(f'data-dir "{folder}" not empty or could not be read')
    path = words[0]
    places = {"path": path, "wal-dir": f"{folder}/member/wal", "data-dir": folder, "snap-dir": f"{folder}/member/snap"}
    _console(ctx, stamp, "snapshot/v3_snapshot.go:265", "restoring snapshot", places)
    data = read(ctx, path, "open")
    try:
        files = restore.files(data, flags, made, path)
    except Refused as why:
        raise Failure(str(why)) from None
    if flags.bump:
        latest = snapshot.status(data).revision
        facts = {"latest-revision": latest, "bump-amount": flags.bump, "new-latest-revision": latest + flags.bump}
        _console(ctx, stamp, "snapshot/v3_snapshot.go:376", "bumping latest revision", facts)
        _console(
            ctx, stamp, "snapshot/v3_snapshot.go:395", "marking revision compacted", {"revision": latest + flags.bump}
        )
    _console(ctx, stamp, "membership/store.go:141", "Trimming membership information from the backend...", {})
    for member in made.members:
        facts = {
            "cluster-id": made.cluster,
            "local-member-id": "0",
            "added-peer-id": member.id,
            "added-peer-peer-urls": list(member.peer_urls),
        }
        _console(ctx, stamp, "membership/cluster.go:421", "added member", facts)
    for name, content in files.items():
        write(ctx, f"{folder}/{name}", content if isinstance(content, bytes) else content.encode())
    _console(ctx, stamp, "snapshot/v3_snapshot.go:293", "restored snapshot", places)
    return 0


def _console(ctx: Context, stamp: str, caller: str, message: str, facts: Mapping[str, object]) -> None:
    """A line of zap's console encoding."""
    tail = "\t" + orjson.dumps(dict(facts)).decode().replace('":', '": ').replace(',"', ', "') if facts else ""
    ctx.err(f"{stamp[:-5]}Z\tinfo\t{caller}\t{message}{tail}\n")


def flags_of(line: Line) -> restore.Flags:
    """``snapshot restore``'s flags."""
    bump = line.text("bump-revision") if "bump-revision" in line.flags else "0"
    if not bump.isdigit() or int(bump) > restore.MOST_BUMP:
        raise Failure(
            f'invalid argument "{bump}" for "--bump-revision" flag: strconv.ParseUint: parsing "{bump}": invalid syntax'
        )
    return restore.Flags(
        name=line.text("name"), data_dir=line.text("data-dir"), initial_cluster=line.text("initial-cluster"),
        token=line.text("initial-cluster-token"), peer_urls=line.text("initial-advertise-peer-urls"),
        skip_hash_check=line.on("skip-hash-check"), bump=int(bump), mark_compacted=line.on("mark-compacted"), wal_dir=line.text("wal-dir"),
    )  # fmt: skip
