"""The browser console: a small shell that runs inside the world.

Someone types ``TOKEN=$(kubectl get secret … | base64 -d)`` in the browser. Nothing of it reaches a real shell, file or
network: words, pipes and variables are interpreted here, files are texts kept with the session, and ``kubectl`` and ``curl``
are written in Python and talk to the cluster's balancer as any other client of the simulated network.

The rooms: ``language`` (text → syntax tree), ``interpreter`` (runs the tree), ``console`` (the actor that owns sessions),
``commands`` (one file a command; the folder is the registry), ``effects`` (what a command may wait for).

**Durable execution.** A command that waits is a generator: ``response = yield Http(…)``. Generators can't be stored, so what
is stored of a running line is its text and the answers it has got so far; the generator is only a cache and is
rebuilt by running the line again with the recorded answers. A command must therefore depend on nothing but its arguments, its
files and those answers; even the time comes from them.
"""
