"""Questions that are answered by trying: a copy of the world is made, something is done to it, and what comes of it is the answer.

In → a ``Scene``; out → JSON-able dicts, as the read models of ``cluster.snapshot``. The world that was asked about is only copied: no message,
number or die of it is used, so a probe of a moment of the past is as good as one of now, and equal for equal moments.

``works`` tries what a cluster can still do; ``write_cost`` builds clusters of 1 to 9 members and writes to each.
"""

from cluster.probing.cost import write_cost
from cluster.probing.works import works

PROBES = {"works": works, "write_cost": write_cost}

__all__ = ["PROBES"]
