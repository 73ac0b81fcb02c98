"""``export``, ``unset``, ``env``, ``printenv``, ``set``: the session's variables."""

from cluster.shell.interpreter import Context
from cluster.shell.language import is_name

NAMES = ("export", "unset", "env", "printenv", "set")


def run(ctx: Context) -> int:
    session = ctx.session
    if ctx.name == "export":
        return _export(ctx)
    if ctx.name == "unset":
        for name in ctx.args:
            session.env.pop(name, None)
            session.exported.pop(name, None)
        return 0
    if ctx.name == "set":
        if ctx.args:
            ctx.err(f"bash: set: {ctx.args[0]}: shell options are not supported in this console\n")
            return 2
        ctx.out("".join(f"{name}={session.env[name]}\n" for name in sorted(session.env)))
        return 0
    if ctx.name == "printenv" and ctx.args:
        if ctx.args[0] not in ctx.env:
            return 1
        ctx.out(ctx.env[ctx.args[0]] + "\n")
        return 0
    if ctx.args:
        ctx.err(f"{ctx.name}: '{ctx.args[0]}': running a command with it is not supported in this console\n")
        return 125
    ctx.out("".join(f"{name}={value}\n" for name, value in ctx.env.items()))
    return 0


def _export(ctx: Context) -> int:
    session, status = ctx.session, 0
    if not ctx.args or ctx.args == ["-p"]:
        names = sorted(name for name in session.env if session.exported.get(name))
        ctx.out("".join(f'declare -x {name}="{session.env[name]}"\n' for name in names))
        return 0
    for word in ctx.args:
        name, equals, value = word.partition("=")
        if not is_name(name):
            ctx.err(f"bash: export: `{word}': not a valid identifier\n")
            status = 1
            continue
        if equals:
            session.env[name] = value
        session.exported[name] = True
    return status
