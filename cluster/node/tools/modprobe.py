"""``modprobe`` and ``lsmod``: whether the kernel has IPVS.

Simplified here: a module that was removed stays away until ``modprobe`` brings it back (a real kernel loads it again by itself when kube-proxy asks,
unless it isn't installed).
"""

from typing import Any

from cluster.node.tools import Printed

NAMES = ("modprobe", "lsmod")
MODULES = ("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "nf_conntrack", "br_netfilter", "overlay", "vxlan")


def has(kernel: Any, name: str) -> bool:
    """Whether the module is there."""
    return kernel.state.modules.get(name, kernel.config.ipvs or not name.startswith("ip_vs"))


def run(kernel: Any, words: list[str], stdin: str, now: int) -> Printed:
    if words[0] == "lsmod":
        rows = ["Module                  Size  Used by"]
        rows += [f"{name:<19} {16384:>8}  0" for name in MODULES if has(kernel, name)]
        return Printed("\n".join(rows) + "\n")
    names = [word for word in words[1:] if not word.startswith("-")]
    removing = any(word in ("-r", "--remove") for word in words[1:])
    printed = Printed()
    for name in names:
        if name not in MODULES:
            printed.err += f"modprobe: FATAL: Module {name} not found in directory /lib/modules/6.1.0-clearplane\n"
            printed.code = 1
        elif "--dry-run" in words or "-n" in words:
            printed.code = printed.code or int(not has(kernel, name))
        elif removing:
            if name.startswith("ip_vs") and kernel.state.tables.current().ruleset.ipvs is not None:
                printed.err += f"modprobe: FATAL: Module {name} is in use.\n"
                printed.code = 1
            else:
                kernel.state.modules[name] = False
        elif not kernel.config.ipvs and name.startswith("ip_vs"):
            printed.err += f"modprobe: FATAL: Module {name} not found in directory /lib/modules/6.1.0-clearplane\n"
            printed.code = 1
        elif words[0] == "modprobe":
            kernel.state.modules[name] = True
    return printed
