"""``ls``, ``rm``, ``cp``, ``mv``, ``touch``, ``mkdir``, ``pwd``, ``cd``, ``tee``: the session's own virtual files. Folders exist by being named."""

from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.session import HOME, FileError
from cluster.shell.tool import complain

NAMES = ("ls", "rm", "cp", "mv", "touch", "mkdir", "pwd", "cd", "tee")


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(ctx.args, "lahA1Rrfvpi", {"all": "a", "force": "f", "recursive": "r", "append": "a"})
    except OptionError as error:
        return complain(ctx, f"{error}\nTry '{ctx.name} --help' for more information.")
    try:
        return _VERBS[ctx.name](ctx, flags, operands)
    except FileError as error:
        return complain(ctx, str(error))


def _ls(ctx: Context, flags: dict[str, str], operands: list[str]) -> int:
    status = 0
    for name in operands or ["."]:
        if ctx.files.exists(name):
            found = [(name, ctx.files.path(name))]
        elif ctx.files.is_folder(name):
            base = ctx.files.path(name).rstrip("/")
            found = [(each, f"{base}/{each}") for each in ctx.files.below(name) if "a" in flags or each[0] != "."]
        else:
            status = complain(ctx, f"cannot access '{name}': No such file or directory", 2)
            continue
        for shown, path in found:
            if "l" in flags:
                folder = not ctx.files.exists(path)
                size = 4096 if folder else ctx.files.size(path)
                ctx.out(f"{'drwxr-xr-x' if folder else '-rw-r--r--'} 1 root root {size:8} {shown}\n")
            else:
                ctx.out(shown + "\n")
    return status


def _rm(ctx: Context, flags: dict[str, str], operands: list[str]) -> int:
    if not operands and "f" not in flags:
        return complain(ctx, "missing operand\nTry 'rm --help' for more information.")
    status = 0
    for name in operands:
        try:
            if not ctx.files.exists(name) and ctx.files.is_folder(name) and "r" in flags:
                base = ctx.files.path(name).rstrip("/") + "/"
                for each in [path for path in ctx.files.all() if path.startswith(base)]:
                    ctx.files.remove(each)
            else:
                ctx.files.remove(name)
        except FileError as error:
            if "f" not in flags:
                status = complain(ctx, f"cannot remove '{name}': {error}")
    return status


def _copy(ctx: Context, flags: dict[str, str], operands: list[str]) -> int:
    if len(operands) < 2:
        return complain(
            ctx, "missing file operand" if not operands else f"missing destination file operand after '{operands[0]}'"
        )
    *sources, target = operands
    into = ctx.files.is_folder(target) or target.endswith("/") or len(sources) > 1  # (folders exist by being named)
    status = 0
    for source in sources:
        place = f"{target.rstrip('/')}/{source.rstrip('/').rsplit('/', 1)[-1]}" if into else target
        if not ctx.files.exists(source) and not (ctx.files.is_folder(source) and ctx.files.below(source)):
            status = complain(ctx, f"cannot stat '{source}': No such file or directory")
        elif not ctx.files.exists(source) and ctx.name == "cp" and not ({"r", "R"} & set(flags)):
            status = complain(ctx, f"-r not specified; omitting directory '{source}'")
        elif ctx.files.path(place) != ctx.files.path(source):
            _moved(ctx, ctx.files.path(source), ctx.files.path(place))
    return status


def _moved(ctx: Context, source: str, target: str) -> None:
    """A file, or all that is below a folder."""
    for path in [path for path in ctx.files.all() if path == source or path.startswith(source + "/")]:
        ctx.files.write_bytes(target + path.removeprefix(source), ctx.files.read_bytes(path))
        if ctx.name == "mv":
            ctx.files.remove(path)


def _touch(ctx: Context, flags: dict[str, str], operands: list[str]) -> int:
    for name in operands:
        ctx.files.write(name, "", append=True)
    return 0


def _mkdir(ctx: Context, flags: dict[str, str], operands: list[str]) -> int:
    return 0 if operands else complain(ctx, "missing operand\nTry 'mkdir --help' for more information.")


def _pwd(ctx: Context, flags: dict[str, str], operands: list[str]) -> int:
    ctx.out(HOME + "\n")
    return 0


def _cd(ctx: Context, flags: dict[str, str], operands: list[str]) -> int:
    if not operands or ctx.files.path(operands[0]) == HOME:
        return 0
    ctx.err(f"bash: cd: {operands[0]}: this console has one folder, {HOME}\n")
    return 1


def _tee(ctx: Context, flags: dict[str, str], operands: list[str]) -> int:
    for name in operands:
        ctx.files.write(name, ctx.stdin, append="a" in flags)
    ctx.out(ctx.stdin)
    return 0


_VERBS = {
    "ls": _ls, "rm": _rm, "cp": _copy, "mv": _copy, "touch": _touch, "mkdir": _mkdir, "pwd": _pwd, "cd": _cd, "tee": _tee,
}  # fmt: skip
