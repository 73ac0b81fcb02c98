"""The network programs of pods and nodes. The folder is the registry: a file with ``NAMES`` and ``run(console, words)``, a generator."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

PROGRAMS: dict[str, Any] = {}
for _info in sorted(iter_modules(__path__), key=lambda each: each.name):
    _module = import_module(f"{__name__}.{_info.name}")
    for _name in getattr(_module, "NAMES", ()):
        PROGRAMS[_name] = _module
