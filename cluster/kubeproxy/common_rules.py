"""Rules and questions that several modes share."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from cluster.kubeproxy.options import ProxyOptions


def comment(text: str) -> str:
    """The comment match of a rule: quoted when it is more than one word."""
    return f'-m comment --comment "{text}"' if " " in text else f"-m comment --comment {text}"


def covers(ranges: Iterable[str], address: str) -> bool:
    """Whether one of the ranges holds the address ("": none does)."""
    return bool(address) and any(ip_address(address) in ip_network(cidr, strict=False) for cidr in ranges)


def masquerading(options: ProxyOptions) -> list[str]:
    """The shared chains that mark for masquerading and do it."""
    mark = f"{options.mark:#08x}"
    fully = " --random-fully" if options.random_fully else ""
    return [
        f"-A KUBE-POSTROUTING -m mark ! --mark {mark}/{mark} -j RETURN",
        f"-A KUBE-POSTROUTING -j MARK --xor-mark {mark}",  # the mark is spent: the packet may pass again (IPsec, tunnels)
        f"-A KUBE-POSTROUTING {comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE{fully}",
        f"-A KUBE-MARK-MASQ -j MARK --or-mark {mark}",
    ]
