"""``scp FILE… [user@]host:PATH`` and ``scp [user@]host:FILE PATH``: files between the desk and the simulated hosts that have some (``ssh``).

Errors: scp's sentences, status 1; 255 when the host does not answer. Simplified here: no folders, no patterns, one host at a time.
"""

from cluster.shell.effects import HostFiles, HostWrite
from cluster.shell.interpreter import Context, Run
from cluster.shell.session import HOME, FileError, Files

NAMES = ("scp",)


def run(ctx: Context) -> Run:
    *sources, target = [word for word in ctx.args if not word.startswith("-")] or [""]
    if not sources:
        ctx.err("usage: scp file ... [user@]host:path\n       scp [user@]host:file path\n")
        return 1
    there, path = _place(target)
    if there:
        return (yield from _send(ctx, sources, there, path))
    return (yield from _fetch(ctx, sources, target))


def _place(word: str) -> tuple[str, str]:
    """(host, path); ("", word) for a file here."""
    head, colon, path = word.partition(":")
    return (head.rpartition("@")[2], path) if colon and "/" not in head else ("", word)


def _host(ctx: Context, name: str) -> str:
    return next((login.host for login in ctx.config.logins if name in (login.host, login.address)), "")


def _unknown(ctx: Context, name: str) -> int:
    ctx.err(f"ssh: Could not resolve hostname {name}: Name or service not known\nscp: Connection closed\n")
    return 255


def _send(ctx: Context, sources: list[str], name: str, path: str) -> Run:
    host = _host(ctx, name)
    if not host:
        return _unknown(ctx, name)
    answer = yield HostFiles(host)
    if answer.value is None:
        ctx.err(
            f"ssh: connect to host {host} port 22: Connection {'refused' if answer.error == 'refused' else 'timed out'}\nscp: Connection closed\n"
        )
        return 255
    files = Files(dict(answer.value.files))
    files.most_bytes = 64 << 20
    status = 0
    for source in sources:
        place = path or HOME
        try:
            data = ctx.files.read_bytes(source)
            if files.is_folder(place) or place.endswith("/"):
                place = f"{place.rstrip('/')}/{source.rsplit('/', 1)[-1]}"
            files.write_bytes(place, data)
        except FileError as why:
            ctx.err(f"scp: {source}: {why}\n")
            status = 1
    changes = tuple(
        (each, content) for each, content in files.all().items() if answer.value.files.get(each) is not content
    )
    if changes:
        done = yield HostWrite(host, changes)
        if done.value is None or done.value.error:
            ctx.err(f"scp: {done.value.error if done.value is not None else 'Connection closed'}\n")
            return 1
    return status


def _fetch(ctx: Context, sources: list[str], target: str) -> Run:
    status = 0
    for source in sources:
        name, path = _place(source)
        host = _host(ctx, name)
        if not host:
            return _unknown(ctx, name or source)
        answer = yield HostFiles(host)
        if answer.value is None:
            ctx.err(
                f"ssh: connect to host {host} port 22: Connection {'refused' if answer.error == 'refused' else 'timed out'}\nscp: Connection closed\n"
            )
            return 255
        try:
            data = Files(answer.value.files).read_bytes(path)
            folder = ctx.files.is_folder(target)
            ctx.files.write_bytes(f"{target.rstrip('/')}/{path.rsplit('/', 1)[-1]}" if folder else target, data)
        except FileError as why:
            ctx.err(f"scp: {path}: {why}\n")
            status = 1
    return status
