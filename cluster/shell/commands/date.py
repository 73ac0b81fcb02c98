"""``date [-u] [+FORMAT]``: the cluster's virtual time, in UTC."""

from datetime import UTC, datetime, timedelta

from cluster.shell.interpreter import Context
from cluster.shell.tool import complain
from cluster.sim.clock import SECOND

NAMES = ("date",)


def run(ctx: Context) -> int:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ctx.config.epoch + ctx.now // SECOND)
    words = [word for word in ctx.args if word not in ("-u", "--utc")]
    if not words:
        ctx.out(moment.strftime("%a %b %e %H:%M:%S UTC %Y\n"))
    elif words[0].startswith("+"):
        seconds = str(ctx.config.epoch + ctx.now // SECOND)
        ctx.out(moment.strftime(words[0][1:].replace("%s", seconds)) + "\n")
    else:
        return complain(ctx, f"invalid date '{words[0]}'")
    return 0
