"""The server's printers: which columns ``kubectl get`` shows for each kind, and how each cell is worked out.

kubectl prints no columns of its own: it asks for ``as=Table`` and lays out what the server answers. The folder has one
file for the columns (``columns``), one for small texts (``text``), and the cell functions by family. ``CELLS`` maps
``(group, kind)`` to ``cells(doc, now) -> list`` where ``now`` is the server's Unix time in seconds.

Upstream: kubernetes pkg/printers/internalversion/printers.go, 1.32.
"""

from collections.abc import Callable
from typing import Any

from cluster.apiserver.printers import core, policies, storage, workloads

Cells = Callable[[dict[str, Any], float], list[Any]]

CELLS: dict[tuple[str, str], Cells] = {**core.CELLS, **workloads.CELLS, **policies.CELLS, **storage.CELLS}
