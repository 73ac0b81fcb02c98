"""The console's commands. The folder is the registry: a module (or package) here with ``NAMES`` and ``run`` is a command.

``run(ctx) -> int`` prints by ``ctx.out`` and ``ctx.err`` and returns the exit status; a command that waits for the network is a
generator of ``Effect``s that returns it. A command depends on nothing but ``ctx`` and the answers it gets.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any


def _discover() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for info in sorted(iter_modules(__path__), key=lambda each: each.name):
        module = import_module(f"{__name__}.{info.name}")
        for name in module.NAMES:
            assert name not in found, f"two commands named {name}"
            found[name] = module
    return found


COMMANDS: dict[str, Any] = _discover()
