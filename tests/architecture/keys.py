"""Keys that are the same in every process: made once per test run and handed on through a file beside the cache."""

import os
import tempfile
from pathlib import Path

import msgspec

from cluster.lab import Pki
from tests.cluster.lab.desk import keys


def fixed() -> Pki:
    """The first process of a test run makes them; the others read them."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getppid())
    path = Path(tempfile.gettempdir()) / f"clearplane-test-keys-{os.getuid()}-{run}"
    if not path.exists():
        path.write_bytes(msgspec.msgpack.encode(keys()))
        path.chmod(0o600)
    return msgspec.msgpack.decode(path.read_bytes(), type=Pki)
