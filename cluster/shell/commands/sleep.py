"""``sleep N[smhd]…`` waits in virtual time."""

import re

from cluster.shell.effects import Sleep
from cluster.shell.interpreter import Context, Run
from cluster.shell.tool import complain
from cluster.sim.clock import SECOND

NAMES = ("sleep",)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def run(ctx: Context) -> Run | int:
    if not ctx.args:
        return complain(ctx, "missing operand\nTry 'sleep --help' for more information.")
    total = 0.0
    for word in ctx.args:
        match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([smhd]?)", word)
        if match is None:
            return complain(ctx, f"invalid time interval '{word}'\nTry 'sleep --help' for more information.")
        total += float(match[1]) * _UNITS[match[2]]
    return _wait(int(total * SECOND))


def _wait(duration: int) -> Run:
    yield Sleep(duration)
    return 0
