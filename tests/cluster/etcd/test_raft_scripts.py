"""120 scripts with the state that etcd's own Raft library reached after each step: ours must reach the same."""

import gzip
import json
from pathlib import Path
from typing import Any

from cluster.etcd import EtcdMember, views
from cluster.sim import MILLISECOND, SECOND
from cluster.wire import etcd as w

from .support import Cluster, seeds

SCRIPTS = Path(__file__).parent / "data" / "raft_scripts.jsonl.gz"
PAUSE, INTERVAL = 14 * MILLISECOND, 1014 * MILLISECOND


def build(script: dict[str, Any]) -> Cluster:
    """The cluster of a script: heartbeat 1 s, election 10 s, links 1 to 2 ms."""
    return Cluster(
        script["n"],
        script["seed"],
        (MILLISECOND, 2 * MILLISECOND),
        pre_vote=script["prevote"],
        check_quorum=script["checkquorum"],
        heartbeat_ns=SECOND,
        election_ns=10 * SECOND,
        bootstrap_log=False,
        initial_election_tick_advance=False,
    )


def command(c: Cluster, what: str, *args: Any) -> None:
    """Do one line of a script, then let its time pass."""
    world = c.world
    match what:
        case "campaign":
            world.post(args[0], args[0], w.Campaign())
        case "transfer":
            world.post(args[0], args[0], w.TransferLeadership(args[1]))
        case "propose":
            world.post(args[0], args[0], w.PutRequest(c.next_id(), b"key", args[1].encode()))
        case "partition":
            world.state.network.partition([group or [] for group in args[0]])
        case "heal":
            world.state.network.heal()
        case "stop":
            world.stop(args[0])
        case "start":
            world.start(args[0])
        case _:
            assert what == "heartbeat_interval"
    world.run_until(world.now + (INTERVAL if what == "heartbeat_interval" else PAUSE))


def observe(c: Cluster, name: str) -> dict[str, Any]:
    """A member as the recording shows it."""
    slot = c.world.state.slots[name]
    if slot.up:
        actor = c.world.actors[name]
        assert isinstance(actor, EtcdMember)
        row, log = actor.status(), actor.log()
    else:
        row = views.stopped(name, slot.config, c.world.state.disks[name].synced)
        log = row["log"]
    shown = {key: row[key] for key in ("role", "term", "votedFor", "lead", "commit")}
    return {"id": name, "up": slot.up, **shown, "logTerms": [term for _, term, _ in log]}


def differences(script: dict[str, Any]) -> list[str]:
    """Where a script first goes another way; empty when it never does."""
    c = build(script)
    for number, step in enumerate(script["steps"]):
        for line in step["cmds"]:
            command(c, *line)
        states = [observe(c, member.process) for member in seeds(script["n"])]
        if states != step["state"]:
            pairs = zip(states, step["state"], strict=True)
            return [f"step {number} {step['cmds']}: {a} instead of {b}" for a, b in pairs if a != b]
    return []


def test_all_scripts() -> None:
    scripts = [json.loads(line) for line in gzip.decompress(SCRIPTS.read_bytes()).splitlines()]
    wrong = {number: found for number, script in enumerate(scripts) if (found := differences(script))}
    print(f"raft scripts: {len(scripts) - len(wrong)} of {len(scripts)}")
    assert len(scripts) == 120
    assert not wrong
