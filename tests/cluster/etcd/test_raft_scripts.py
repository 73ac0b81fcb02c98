"""Scripts with the state that etcd's own Raft library reached after each step: ours must reach the same, through the laboratory's door.

``raft_scripts``: the 120 that were given. ``library_scripts``: 193 more, recorded by us from the library of Debian's etcd 3.4.23: random ones of the same
vocabulary that end alike whatever the links' delays, many of them with pre-vote or check-quorum, transfers to members that are down, and restarts.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cluster.lab import ClusterSpec, EtcdOpIn, HealIn, Lab, MemberOp, PartitionIn, Pki
from cluster.sim import MILLISECOND

DATA = Path(__file__).parent / "data"
PAUSE, INTERVAL = 14 * MILLISECOND, 1014 * MILLISECOND
Script = dict[str, Any]


def build(script: Script) -> Lab:
    """The bare cluster of a script: heartbeat 1 s, election 10 s, links 1 to 2 ms, and disks that take no time, as the library has none."""
    lab = Lab.start(
        ClusterSpec(
            name="script", epoch=0, pki=Pki(*[b""] * 8), seed=script["seed"], etcd_members=script["n"], bare=True,
            pre_vote=script["prevote"], check_quorum=script["checkquorum"], heartbeat_ms=1000, election_ms=10_000,
            link_ms=(1.0, 2.0), fsync_ms=(0.0, 0.0),
        )
    )  # fmt: skip
    lab.watched(False)
    return lab


def command(lab: Lab, what: str, *args: Any) -> None:
    """Do one line of a script, then let its time pass."""
    match what:
        case "campaign" | "stop" | "start":
            lab.submit(MemberOp(args[0], what))
        case "transfer":
            lab.submit(MemberOp(args[0], what, args[1]))
        case "propose":
            lab.submit(EtcdOpIn(args[1], args[0], "put", "key", args[1]))
        case "partition":
            lab.submit(PartitionIn(tuple(tuple(group or ()) for group in args[0])))
        case "heal":
            lab.submit(HealIn())
        case _:
            assert what == "heartbeat_interval"
    lab.run_until(lab.now + (INTERVAL if what == "heartbeat_interval" else PAUSE))


def observe(row: dict[str, Any]) -> dict[str, Any]:
    """A member's row as the recording shows it."""
    shown = {key: row[key] for key in ("id", "up", "role", "term", "votedFor", "lead", "commit")}
    return {**shown, "logTerms": [term for _, term, _ in row["log"]]}


def differences(script: Script) -> list[str]:
    """Where a script first goes another way; empty when it never does."""
    lab = build(script)
    for number, step in enumerate(script["steps"]):
        for line in step["cmds"]:
            command(lab, *line)
        states = [observe(row) for row in lab.query("members", log="full")]
        if states != step["state"]:
            pairs = zip(states, step["state"], strict=True)
            return [f"step {number} {step['cmds']}: {a} instead of {b}" for a, b in pairs if a != b]
    return []


@pytest.mark.parametrize(("recording", "count"), [("raft_scripts", 120), ("library_scripts", 193)])
def test_all_scripts(recording: str, count: int) -> None:
    scripts = [json.loads(line) for line in gzip.decompress((DATA / f"{recording}.jsonl.gz").read_bytes()).splitlines()]
    wrong = {number: found for number, script in enumerate(scripts) if (found := differences(script))}
    print(f"{recording}: {len(scripts) - len(wrong)} of {len(scripts)}")
    assert len(scripts) == count
    assert not wrong
