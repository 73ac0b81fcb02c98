"""``etcdctl`` commands that go on: a watch that outlives its member, locks that wait in line, elections, leases kept alive; Ctrl-C gives back what was held."""

import pytest

from cluster.lab import ConsoleIn, ConsoleInterruptIn, Lab, MemberOp
from cluster.shell.commands.etcdctl import check
from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import Desk, three_hosts


class Terminals:
    """Several terminals of one console; ``said`` is what each has shown so far."""

    def __init__(self) -> None:
        self.desk = Desk(Lab.restore(three_hosts()))
        self.said: dict[str, str] = {}
        self.ended: dict[str, int] = {}

    def begin(self, session: str, line: str, seconds: float = 1) -> str:
        self.desk.lab.submit(ConsoleIn(session, line, session))
        return self.run(session, seconds)

    def run(self, session: str, seconds: float) -> str:
        self.desk.lab.run_until(self.desk.lab.now + int(seconds * SECOND))
        for out in self.desk.lab.drain().outputs:
            doc, name = getattr(out, "doc", {}), getattr(out, "call", "")
            self.said[name] = self.said.get(name, "") + doc.get("stdout", "") + doc.get("stderr", "")
            if doc.get("done"):
                self.ended[name] = doc["exitCode"]
        return self.said.get(session, "")


@pytest.fixture
def terminals() -> Terminals:
    return Terminals()


@pytest.fixture(scope="module")
def shared() -> Terminals:
    """For what leaves the members running; each test has terminals and keys of its own."""
    return Terminals()


def test_a_watch_tells_each_change_once_though_its_member_dies(terminals):
    terminals.begin("w", "etcdctl watch a --prefix --prev-kv --endpoints=m1,m2")
    assert (
        terminals.begin(
            "p",
            "etcdctl put a1 x --endpoints=m2; etcdctl put a1 y --endpoints=m2; etcdctl put b z --endpoints=m2; etcdctl del a1 --endpoints=m2",
        )
        == "OK\nOK\nOK\n1\n"
    )
    assert terminals.run("w", 0.1) == "PUT\na1\nx\nPUT\na1\nx\na1\ny\nDELETE\na1\ny\na1\n\n"
    terminals.desk.lab.submit(MemberOp("m1", "stop"))
    terminals.begin("p", "etcdctl put a2 while-away --endpoints=m2", 5)
    assert terminals.run("w", 0.1).endswith("a1\n\nPUT\na2\nwhile-away\n")
    terminals.desk.lab.submit(ConsoleInterruptIn("w"))
    terminals.run("w", 0.2)
    assert terminals.ended["w"] == 130
    assert not any(member.state.hub.watchers for name, member in terminals.desk.lab.world.actors.items() if name == "m2" and any(
        watcher.client == "console" for watcher in member.state.hub.watchers.values()))  # fmt: skip


def test_a_watch_of_what_is_compacted_ends_as_etcdctl_says(shared):
    shared.begin(
        "w",
        "etcdctl put k v; etcdctl compact $(etcdctl get k -w json | grep -o '\"revision\":[0-9]*' | cut -d: -f2); etcdctl watch k --rev=2",
    )
    assert shared.said["w"].endswith(
        "watch was canceled (etcdserver: mvcc: required revision has been compacted)\nError: watch is canceled by the server\n"
    )
    assert shared.ended["w"] == 5


def test_locks_are_given_in_the_order_of_asking_and_ctrl_c_gives_one_back(shared):
    first = shared.begin("locka", "etcdctl lock door")
    assert first.startswith("door/") and shared.begin("lockb", "etcdctl lock door echo mine", 8) == ""
    shared.desk.lab.submit(ConsoleInterruptIn("locka"))
    assert shared.run("lockb", 2) == "mine\n" and shared.ended["lockb"] == 0
    assert shared.begin("lockc", "etcdctl get door --prefix") == ""


def test_an_election_has_one_leader_and_listeners_hear_the_next(shared):
    assert shared.begin("ana", "etcdctl elect boss anna").endswith("\nanna\n")
    assert shared.begin("anl", "etcdctl elect -l boss").endswith("\nanna\n")
    assert shared.begin("anb", "etcdctl elect boss ben") == ""
    shared.desk.lab.submit(ConsoleInterruptIn("ana"))
    assert shared.run("anb", 3).endswith("\nben\n") and shared.said["anl"].endswith("\nben\n")


def test_a_lease_is_kept_alive_until_it_is_revoked(shared):
    lease = shared.begin("leasg", "etcdctl lease grant 3").split()[1]
    assert shared.begin("leask", f"etcdctl lease keep-alive {lease}", 9).count("keepalived with TTL(3)") >= 9
    shared.begin("leasg", f"etcdctl lease revoke {lease}", 2)
    assert shared.said["leask"].endswith(f"lease {lease} expired or revoked.\n") and shared.ended["leask"] == 0


def test_without_a_quorum_a_put_ends_after_the_commands_own_timeout(terminals):
    for member in ("m2", "m3"):
        terminals.desk.lab.submit(MemberOp(member, "stop"))
    terminals.begin("p", "etcdctl put a b", 5.5)
    assert terminals.said["p"].endswith("Error: context deadline exceeded\n") and terminals.ended["p"] == 1
    assert terminals.begin("q", "etcdctl get a --endpoints=m2 --command-timeout=1s", 1.5).endswith(
        "Error: context deadline exceeded\n"
    )


def test_writes_at_a_steady_rate_are_judged(shared, monkeypatch):
    monkeypatch.setattr(check, "SECONDS", 3)
    said = shared.begin("writc", "etcdctl check perf", 5)
    last = said.split("\n")[1:]
    assert last[0] == "PASS: Throughput is 150 writes/s" and last[-2:] == ["PASS", ""] and shared.ended["writc"] == 0, (
        last
    )
    assert shared.begin("writd", "etcdctl get /etcdctl-check-perf/ --prefix --count-only") == "0\n"
