"""Node IPAM: each Node gets its own range of Pod addresses out of the cluster's.

In → Nodes without ``spec.podCIDR``; out → a patch that gives the next free /24 of ``cluster_cidr``, in the order the Nodes came.

Simplified here: one IPv4 range; the ranges in use are read from the Nodes when the manager starts.

Upstream: kubernetes pkg/controller/nodeipam/ipam/{range_allocator.go,cidrset/cidr_set.go}.
"""

from ipaddress import ip_network

from cluster.clientgo import Doc, reference_to
from cluster.controllers.lib.meta import deleting, path, spec_of
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox
from cluster.wire.http import HttpResponse


class NodeIpamController(Controller):
    """Keys are names of Nodes. Memory ``used``: index of a range in the cluster's → the Node that has it."""

    name = "node-ipam"
    user = "node-controller"
    watches = ("nodes",)

    @property
    def _used(self) -> dict[int, str]:
        return self.memory.setdefault("used", {})

    def on_nodes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        name = new["metadata"]["name"]
        cidr = spec_of(new).get("podCIDR")
        if event_type == "DELETED":
            for index in [i for i, owner in self._used.items() if owner == name]:
                del self._used[index]
        elif cidr:
            index = self._index(cidr)
            if index is not None:
                self._used[index] = name
        else:
            self.enqueue(out, name)

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        node = self.store("nodes").get(key)
        if node is None or deleting(node) or spec_of(node).get("podCIDR"):
            return
        index = next((i for i, owner in self._used.items() if owner == key), None)
        if index is None:
            index = self._free()
        if index is None:
            reference = {**reference_to(node, "Node", "v1"), "uid": key}
            self.manager.event(out, reference, "Normal", "CIDRNotAvailable", f"Node {key} status is now: CIDRNotAvailable",
                               source="cidrAllocator", component=self.name)  # fmt: skip
            return
        self._used[index] = key
        cidr = self._range(index)
        self.request(out, "PATCH", path("v1", "nodes", "", key), doc={"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}},
                     content_type="application/strategic-merge-patch+json", then="assigned", args=(index,))  # fmt: skip

    def assigned(self, response: HttpResponse, index: int, now: int, out: Outbox) -> None:
        """Refused: the range is free again."""
        if response.code != 200:
            self._used.pop(index, None)
            if response.code != 404:
                self.failed()

    def _free(self) -> int | None:
        count = 1 << (self.config.node_cidr_mask - ip_network(self.config.cluster_cidr).prefixlen)
        following = self.memory.get("next", 0)  # like the real one: onwards from the last given, then around
        for step in range(count):
            index = (following + step) % count
            if index not in self._used:
                self.memory["next"] = index + 1
                return index
        return None

    def _range(self, index: int) -> str:
        mask = self.config.node_cidr_mask
        base = ip_network(self.config.cluster_cidr).network_address
        return f"{base + (index << (base.max_prefixlen - mask))}/{mask}"

    def _index(self, cidr: str) -> int | None:
        network, cluster = ip_network(cidr), ip_network(self.config.cluster_cidr)
        if network.version != cluster.version or network.network_address not in cluster:
            return None
        shift = network.max_prefixlen - self.config.node_cidr_mask
        return (int(network.network_address) - int(cluster.network_address)) >> shift
