"""``etcdutl``: etcd's files without a server. ``snapshot status`` looks into one, ``snapshot restore`` makes a data directory of it.

The files are the session's own at the desk; after ``ssh cp-1`` they are that host's, and ``/var/lib/etcd`` is the directory that its etcd starts with.

Simplified here: ``backup``, ``defrag``, ``migrate``, ``hashkv`` refuse by name. Upstream: etcd 3.5 etcdutl.
"""

from datetime import UTC, datetime

from cluster.shell.commands.etcdctl import saving, usage
from cluster.shell.commands.etcdctl.talk import BAD_FEATURE, Failure
from cluster.shell.commands.etcdctl.usage import Misused, Unknown
from cluster.shell.interpreter import Context

NAMES = ("etcdutl",)
_HELP = """Usage:
  etcdutl [command]

Available Commands:
  snapshot    Manages etcd node snapshots
  version     Prints the version of etcdutl

Flags:
  -h, --help               help for etcdutl
  -w, --write-out string   set the output format (fields, json, protobuf, simple, table) (default "simple")

Use "etcdutl [command] --help" for more information about a command.
"""
_SAVE = "In order to download snapshot use: `etcdctl snapshot save ...`"
_NOT_HERE = ("backup", "defrag", "migrate", "hashkv", "completion")


def run(ctx: Context) -> int:
    """128 for arguments, 1 for the rest."""
    try:
        words = [word for word in ctx.args if not word.startswith("-")]
        if words[:1] and words[0] in _NOT_HERE:
            raise Failure(
                f"etcdutl {words[0]} is not in this laboratory: snapshot status and snapshot restore are", BAD_FEATURE
            )
        if words[:1] == ["version"]:
            ctx.out(f"etcdutl version: {usage.VERSION}\nAPI version: {usage.API}\n")
            return 0
        if words[:1] != ["snapshot"] or words[1:2] == []:
            if words and words[0] not in ("help", "snapshot"):
                raise Unknown(words[0])
            ctx.out(_HELP)
            return 0
        line = usage.read(ctx.args)
        if line.on("help"):
            ctx.out(usage.usage(line.command).replace("etcdctl", "etcdutl"))
            return 0
        micros = ctx.config.epoch * 1_000_000 + ctx.now // 1000
        stamp = datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        match line.command:
            case "snapshot status":
                return saving.status(ctx, line)
            case "snapshot restore":
                return saving.restored(ctx, _dir(line), line.words, stamp)
            case _:
                raise Failure(_SAVE, 128)
    except Unknown as unknown:
        ctx.err(f'Error: unknown command "{unknown}" for "etcdutl"\nRun \'etcdutl --help\' for usage.\n')
        return 1
    except Misused as misused:
        ctx.err(f"Error: {misused}\n")
        return 1
    except Failure as failure:
        ctx.err(f"Error: {failure}\n")
        return failure.code


def _dir(line: usage.Line) -> saving.restore.Flags:
    flags = saving.flags_of(line)
    if not flags.data_dir:
        raise Failure('required flag(s) "data-dir" not set')
    return flags
