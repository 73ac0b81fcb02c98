"""IPVS mode's graceful termination: an endpoint that goes gets no new connections, but those it has run out.

A real server that is no longer wanted is taken away at once when it has no connections, or carries UDP (whose "connections" would never end);
otherwise its weight becomes 0 and it stays on a list that is looked through every minute. If the endpoint comes back meanwhile it is taken
from the list and added anew with weight 1. A virtual server that goes takes its real servers with it; one that somebody made by hand goes, too,
unless its address is in ``ipvs.excludeCIDRs``.

Simplified here: the list is kept with the kernel's servers, so it outlives a kube-proxy that is killed.

In: the kernel's ``Ipvs``, the wanted one, and how many connections a real server has → out: the operations, as ``ipvsadm`` would be told them; the kernel's is
changed.

Upstream: pkg/proxy/ipvs/graceful_termination.go, proxier.go ``syncEndpoint``, ``cleanLegacyService`` (1.33).
"""

from msgspec import structs

from cluster.kubeproxy.common_rules import covers
from cluster.netfilter.ipvs import OPTIONS, Ipvs, Key, VirtualServer, place, save_servers
from cluster.netfilter.node_tables import Connections
from cluster.sim import SECOND

CHECK_EVERY = 60 * SECOND


def bring(kernel: Ipvs, wanted: Ipvs, connections: Connections, excluded: tuple[str, ...] = ()) -> list[str]:
    """Bring the kernel's virtual servers to the wanted ones. All others go, whoever made them, except those of ``excluded`` networks."""
    done: list[str] = []
    for key, server in wanted.servers.items():
        there = kernel.servers.get(key)
        if there is None:
            there = kernel.servers[key] = structs.replace(server, servers={})
            done.append(save_servers(Ipvs({key: there})).strip())
        elif _settings(there) != _settings(server):
            there.scheduler, there.persistent, there.flags = server.scheduler, server.persistent, server.flags
            done.append("-E" + save_servers(Ipvs({key: structs.replace(there, servers={})})).strip().removeprefix("-A"))
        done += _endpoints(kernel, there, server, connections)
    for key in [key for key in kernel.servers if key not in wanted.servers and not covers(excluded, key[0])]:
        del kernel.servers[key]
        kernel.dying = {one: None for one in kernel.dying if one[0] != key}
        done.append(f"-D {_where(key)}")
    kernel.addresses = dict(wanted.addresses)
    return done


def sweep(kernel: Ipvs, connections: Connections) -> list[str]:
    """Every minute: take away those of the list whose connections are over."""
    done: list[str] = []
    for key, target in list(kernel.dying):
        if not _lingers(key, target, connections):
            done.append(_remove(kernel, key, target))
    return done


def _settings(server: VirtualServer) -> tuple[object, ...]:
    return server.scheduler, server.persistent, server.flags


def _where(key: Key) -> str:
    return f"{OPTIONS[key[2]]} {place(key[0], key[1])}"


def _endpoints(kernel: Ipvs, there: VirtualServer, server: VirtualServer, connections: Connections) -> list[str]:
    key, done = there.key, []
    for target, real in server.servers.items():
        if target in there.servers and (key, target) not in kernel.dying:
            continue
        kernel.dying.pop((key, target), None)
        there.servers[target] = real
        done.append(f"-a {_where(key)} -r {target} -{real.forward} -w {real.weight}")
    for target in [target for target in there.servers if target not in server.servers]:
        if (key, target) in kernel.dying:
            continue
        if not _lingers(key, target, connections):
            done.append(_remove(kernel, key, target))
            continue
        there.servers[target] = structs.replace(there.servers[target], weight=0)
        kernel.dying[key, target] = None
        done.append(f"-e {_where(key)} -r {target} -{there.servers[target].forward} -w 0")
    return done


def _lingers(key: Key, target: str, connections: Connections) -> bool:
    return key[2] != "udp" and connections(key, target) > 0


def _remove(kernel: Ipvs, key: Key, target: str) -> str:
    kernel.dying.pop((key, target), None)
    server = kernel.servers.get(key)
    if server is not None:
        server.servers.pop(target, None)
    return f"-d {_where(key)} -r {target}"
