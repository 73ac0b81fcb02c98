"""A node's kernel and its place in the network: interfaces, routes, tables, connections, and the packets that pass.

The process ``kernel-<node>`` of the simulation. It outlives every program of its node and dies with the host. The pod network's agent
(what flannel or kindnet do on a node: routes to other nodes' pods, NetworkPolicy) lives in it too.
"""
