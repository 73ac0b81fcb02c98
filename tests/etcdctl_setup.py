"""A real etcdctl for the tests, from Debian's packages where this user may install them; without one its test is left out, and says so."""

import os
import shutil
import sys

from tests.browser_setup import run


def main() -> int:
    if shutil.which("etcdctl") or not shutil.which("apt-get"):
        return 0
    sudo = () if os.geteuid() == 0 else ("sudo", "-n")
    if not (run(*sudo, "apt-get", "update", "-q") and run(*sudo, "apt-get", "install", "-y", "-q", "etcd-client")):
        print("No etcdctl could be installed; its test is left out.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
