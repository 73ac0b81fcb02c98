"""Read models: what a page may know of each room at an instant, as JSON-able data.

In → a ``Scene`` (spec, world, objects, traces); out → dicts in the control API's names and units (microseconds). Nothing
here changes the world. One module a room; ``VIEWS`` names them for ``Lab.query``.
"""

from cluster.snapshot.backups import backups
from cluster.snapshot.bench import bench
from cluster.snapshot.complete import completion
from cluster.snapshot.etcd import members
from cluster.snapshot.flights import flights
from cluster.snapshot.ha import certificates, ha
from cluster.snapshot.journeys import journey, network
from cluster.snapshot.keyspace import keyspace
from cluster.snapshot.kinds import kinds, mapping, table
from cluster.snapshot.lesson import lesson
from cluster.snapshot.map import cluster_map, processes, ready
from cluster.snapshot.network import nodes_rules, packet, packet_view, rules
from cluster.snapshot.node_network import counters, kernel_rules, node_network
from cluster.snapshot.objects import object_yaml, objects
from cluster.snapshot.otlp import otlp
from cluster.snapshot.place import find, place
from cluster.snapshot.raft import raft_invariants, raft_next, raft_tables
from cluster.snapshot.relations import relations
from cluster.snapshot.requests import nearest, recent, request, request_list, requests, terms
from cluster.snapshot.scene import Scene
from cluster.snapshot.syncs import changes
from cluster.snapshot.thing import about, revisions, thing, touched
from cluster.snapshot.versions import versions

VIEWS = {
    "about": about,
    "backups": backups,
    "bench": bench,
    "keyspace": keyspace,
    "changes": changes,
    "kinds": kinds,
    "mapping": mapping,
    "relations": relations,
    "revisions": revisions,
    "table": table,
    "thing": thing,
    "touched": touched,
    "certificates": certificates,
    "ha": ha,
    "lesson": lesson,
    "find": find,
    "flights": flights,
    "place": place,
    "complete": completion,
    "map": cluster_map,
    "members": members,
    "network": network,
    "journey": journey,
    "objects": objects,
    "object": object_yaml,
    "nearest": nearest,
    "otlp": otlp,
    "packet": packet_view,
    "processes": processes,
    "raft_invariants": raft_invariants,
    "raft_next": raft_next,
    "raft_tables": raft_tables,
    "recent": recent,
    "request": request,
    "request_list": request_list,
    "requests": requests,
    "rules": rules,
    "node_network": node_network,
    "kernel_rules": kernel_rules,
    "counters": counters,
    "nodes": nodes_rules,
    "terms": terms,
    "versions": versions,
}

__all__ = ["VIEWS", "Scene", "packet", "ready"]
