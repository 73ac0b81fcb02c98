"""One file per proxy mode. ``iptables`` has ``port_rules``, ``restore_input``, ``base_jumps`` and ``canaries``; ``nftables``, ``ipvs`` and ``userspace`` write a ``table_text``
from what they have ``chosen``.

In: the configuration's ``mode`` → out: its module. A mode that upstream knows and this proxy does not write yet is refused by name.

Upstream: pkg/proxy/{iptables,ipvs,nftables} (userspace was removed in 1.26).
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from cluster.kubeproxy.options import NotSupported

MODES: dict[str, ModuleType] = {
    name: import_module(f"{__name__}.{name}") for name in sorted(info.name for info in iter_modules(__path__))
}
"""Configuration value → module: the files of this folder."""
KNOWN_UPSTREAM = ("kernelspace",)


def written_whole(mode: ModuleType) -> bool:
    """Whether the mode writes all it has from what it has ``chosen`` (``table_text``), not chain by chain."""
    return hasattr(mode, "table_text")


def mode_named(name: str) -> ModuleType:
    """The module for ``mode`` ("" is iptables, the default on Linux). NotSupported for others, with the reason."""
    found = MODES.get(name or "iptables")
    if found is not None:
        return found
    if name in KNOWN_UPSTREAM:
        raise NotSupported(
            f"kube-proxy mode {name!r} exists upstream, but its rules cannot be written here yet: use 'iptables', 'ipvs', 'nftables' or, for history, 'userspace'"
        )
    raise NotSupported(f"unknown kube-proxy mode {name!r}: upstream knows iptables, ipvs, nftables")
