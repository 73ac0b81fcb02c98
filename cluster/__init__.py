"""The world: a pure, deterministic simulation of a Kubernetes cluster.

Nothing in this package reads a wall clock, draws from the machine's randomness, opens a file or a socket, or depends
on hash order. A cluster is a spec, a seed and a journal of inputs; everything else is derived from those three.
"""
