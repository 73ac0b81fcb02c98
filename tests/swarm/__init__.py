"""The etcd swarm: random faults on a random cluster, watched from outside and from within.

``run`` makes a cluster of 1, 3, 5 or 7 members, breaks it in every way for 21 virtual seconds, heals it and looks until second 30; ``clients``
put, get, delete and compare-and-swap, and watch; ``checks`` compares what members do with Raft's promises as they do it; ``linear`` decides whether the
clients' histories are linearizable; ``bugs`` are deliberately broken Rafts, of which each must be caught.

``python -m tests.swarm --seed 1 --runs 1000 --processes 2`` (``make swarm``); a failure prints its one-line replay.
"""
