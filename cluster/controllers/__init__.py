"""The controllers: loops that make what is into what was asked for.

Each file here is one controller: it watches some kinds, is told *that* an object changed, looks at everything it knows
about that object, and asks the apiserver for the difference. ``manager`` is the process they all live in; ``runtime`` is
what they have in common; ``lib`` holds pure functions that several of them use. The folder is the registry: a new
controller is one new file with one ``Controller`` subclass.
"""
