"""The same spec, seed and inputs give the same digest, whatever the machine's hash seed is."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = """
from cluster.sim.clock import SECOND
from tests.architecture.keys import fixed
from cluster.lab import ClusterSpec, ConsoleIn, HttpIn, Lab, MemberOp
from tests.cluster.lab.desk import ADMIN, Desk
lab = Lab.start(ClusterSpec(name="demo", epoch=1_780_000_000, pki=fixed()))
lab.run_until(15 * SECOND)
lab.submit(ConsoleIn("s", "kubectl create deployment web --image=nginx --replicas=3", "c"))
lab.run_until(20 * SECOND)
lab.submit(HttpIn("x", 1, "GET", "/api/v1/pods", peer=ADMIN))
lab.run_until(21 * SECOND)
lab.submit(MemberOp("m1", "stop"))
lab.run_until(40 * SECOND)
frames = lab.drain().frames
print(lab.digest(), len(frames), lab.world.state.events)
"""


def digest(hash_seed: str) -> str:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", RUN], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_hash_seeds_make_no_difference():
    first, second = digest("0"), digest("4242")
    assert first == second and len(first.split()[0]) == 32
