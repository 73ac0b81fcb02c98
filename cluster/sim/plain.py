"""Reading a checkpoint as if it came from a stranger: it may hold plain data of this package, and nothing that acts.

pickle keeps documents shared that are shared in memory, which is why it is the form of checkpoints; this reader is why an
exported file can't do more than make a broken cluster.
"""

import pickle
from functools import partial
from typing import Any

from msgspec import Struct

PLAIN = {
    ("builtins", "bytearray"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("collections", "deque"),
    ("msgspec._utils", "rebuild"),
}
"""What else a checkpoint may name."""


class PlainUnpickler(pickle.Unpickler):
    """Reads only this package's Structs and a few builtins, so that a checkpoint can hold no code to run.

    What is found is handed out wrapped: it can be called, and that is all. A class itself could be given new attributes by the
    stream (BUILD), for every cluster of the process.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("cluster."):
            found = super().find_class(module, name)
            if isinstance(found, type) and issubclass(found, Struct):
                return partial(found)
        elif (module, name) in PLAIN:
            return partial(super().find_class(module, name))
        raise pickle.UnpicklingError(f"a checkpoint holds plain data only, not {module}.{name}")
