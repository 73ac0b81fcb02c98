"""The five hooks of netfilter, and in which order the tables' base chains are called at each.

In: a hook's name → out: the tables consulted there, by priority (lowest first). Connection tracking sits at -200 in PREROUTING and
OUTPUT: ``raw`` (-300) runs before it, all other tables after. Destination NAT is ``nat`` at -100, source NAT ``nat`` at +100.

Simplified here: the ``security`` table (SELinux marks) is known by name but its targets are not; bridge and ARP families,
ingress and egress hooks are absent.

Upstream: include/uapi/linux/netfilter_ipv4.h (``nf_ip_hook_priorities``).
"""

PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"

HOOKS: dict[str, tuple[str, ...]] = {
    PREROUTING: ("raw", "mangle", "nat"),
    INPUT: ("mangle", "filter", "security", "nat"),
    FORWARD: ("mangle", "filter", "security"),
    OUTPUT: ("raw", "mangle", "nat", "filter", "security"),
    POSTROUTING: ("mangle", "nat"),
}
"""Hook → its tables in calling order."""

IPVS = "ipvs"
"""Not a table: where the kernel's load balancer takes packets out of a hook's row."""
HOOKS_WITH_IPVS: dict[str, tuple[str, ...]] = {
    **HOOKS,
    INPUT: ("mangle", "filter", "security", IPVS, "nat"),
    OUTPUT: ("raw", "mangle", "nat", IPVS, "filter", "security"),
}

BUILTIN: dict[str, tuple[str, ...]] = {
    "raw": (PREROUTING, OUTPUT),
    "mangle": (PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING),
    "filter": (INPUT, FORWARD, OUTPUT),
    "nat": (PREROUTING, INPUT, OUTPUT, POSTROUTING),
    "security": (INPUT, FORWARD, OUTPUT),
}
"""Table → its built-in chains, in the order ``iptables-save`` prints them."""

SAVE_ORDER = ("raw", "mangle", "filter", "nat", "security")
"""The order in which tables are printed."""

ARRIVING_FOR_OTHERS = (PREROUTING, FORWARD, POSTROUTING)
ARRIVING_FOR_US = (PREROUTING, INPUT)
SENT_BY_US = (OUTPUT, POSTROUTING)
