"""Which world wrote a snapshot: a fingerprint of the world's source.

A snapshot is the state of that very program, and a journal replays to the same history only in it. Another version's cluster
therefore begins anew (same name, same keys) instead of going on half understood.
"""

import functools
import importlib.util
from hashlib import blake2b
from pathlib import Path


@functools.cache
def world_version(door: str = "cluster.lab") -> str:
    """The fingerprint of the package that ``door`` is in."""
    package = importlib.util.find_spec(door.rpartition(".")[0])
    assert package is not None and package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0])
    digest = blake2b(digest_size=12)
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return digest.hexdigest()
