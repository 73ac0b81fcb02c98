"""Bare etcd clusters in one process: ``python -m bench.ring``; prints JSON. Processor time, so that other work on the machine changes little.

As in runsim with nobody looking: a ``Lab``, its recorder, drained every 100 virtual milliseconds.
"""

import gc
import json
import time

import psutil

from cluster.lab import ClusterSpec, EtcdOpIn, Lab, MemberOp, Pki

SECOND = 1_000_000_000
PKI = Pki(*[b""] * 8)


def start(members: int, seed: int = 1) -> Lab:
    """A bare cluster that has a leader."""
    lab = Lab.start(ClusterSpec(name=f"b{seed}", epoch=0, pki=PKI, seed=seed, etcd_members=members, bare=True))
    lab.watched(False)
    pass_time(lab, 5 * SECOND)
    return lab


def pass_time(lab: Lab, length: int) -> None:
    """Let time pass."""
    end = lab.now + length
    while lab.now < end:
        lab.run_until(min(lab.now + SECOND // 10, end))
        lab.drain()


def leader(lab: Lab) -> str:
    """Who leads; "" if nobody does."""
    rows = [row for row in lab.query("members") if row["up"] and row["role"] == "leader"]
    return max(rows, key=lambda row: row["term"])["id"] if rows else ""


def speed(members: int, seconds: int, writes: int = 0) -> float:
    """Virtual seconds in a second of processor time, idle or with so many puts a virtual second through the leader."""
    lab = start(members)
    to, began = leader(lab), time.process_time()
    for second in range(seconds):
        for number in range(writes):
            lab.run_until(lab.now + SECOND // writes)
            lab.submit(EtcdOpIn(f"{second}/{number}", to, "put", f"key-{number}", "v" * 256))
        if writes:
            lab.drain()
        else:
            pass_time(lab, SECOND)
    spent = time.process_time() - began
    done = lab.query("ops", done_since=0)["ops"]
    assert not writes or sum(op["res"] == "ok" for op in done[-1000:]) > 950, done[-5:]
    return seconds / spent


def elections(count: int = 200) -> float:
    """Leaders that die and are replaced, a second of processor time."""
    lab = start(3)
    began = time.process_time()
    for _ in range(count):
        dead = leader(lab)
        lab.submit(MemberOp(dead, "stop"))
        while leader(lab) in ("", dead):
            pass_time(lab, SECOND // 4)
        lab.submit(MemberOp(dead, "start"))
        pass_time(lab, SECOND)
    return count / (time.process_time() - began)


def crowd(count: int, seconds: int = 10) -> tuple[float, float]:
    """(MiB each, share of a core at speed 1) of so many idle clusters of three."""
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    labs = [start(3, seed) for seed in range(1, count + 1)]
    gc.collect()
    memory = (process.memory_info().rss - before) / count / (1 << 20)
    began = time.process_time()
    for _ in range(seconds * 10):
        for lab in labs:
            lab.run_until(lab.now + SECOND // 10)
            lab.drain()
    return memory, (time.process_time() - began) / seconds


def main() -> None:
    start(3)  # what is imported and remembered once is nobody's
    memory, share = crowd(200)
    found = {f"idle{n}": round(speed(n, 120)) for n in (3, 5, 7)}
    busy = {f"busy{n}": round(speed(n, 6, 500), 2) for n in (3, 5, 7)}
    more = {"elections": round(elections()), "crowdMiB": round(memory, 2), "crowdShare": round(share * 100, 1)}
    print(json.dumps({**found, **busy, **more}))


if __name__ == "__main__":
    main()
