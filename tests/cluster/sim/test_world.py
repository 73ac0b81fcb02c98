"""The physics: order, causes, faults, disks, and that a restored world goes on as the first one would have."""

import pickle
from io import BytesIO

import pytest
from msgspec import Struct, field

from cluster.sim import MILLISECOND, SECOND, Actor, Fsynced, Link, PeerDown, Timer, World
from cluster.sim.plain import PlainUnpickler
from cluster.trace.notes import Effect  # a Struct of this package: any message will do


class Note(Struct, frozen=True):
    text: str


class Heard(Struct):
    lines: list = field(default_factory=list)


class Parrot(Actor):
    """Writes down what it hears; answers "ping" with "pong"; timers and disk on request."""

    kind = "parrot"

    def fresh(self):
        return Effect("heard", self.name, "", [])

    def boot(self, disk, now, out):
        self.lines.append((now, "boot", [str(record) for record in disk]))

    @property
    def lines(self):
        return self.state.detail

    def step(self, src, message, now, out):
        text = message if isinstance(message, str) else type(message).__name__
        self.lines.append((now, src, text, out.cause))
        match message:
            case "ping":
                out.send(src, "pong")
            case "arm":
                out.timer("t", SECOND)
            case "disarm":
                out.cancel("t")
            case "save":
                out.write(["a", "b"], 1)
            case "bye":
                out.exit(0)


def world(**places):
    made = World.new(7, MILLISECOND, 2 * MILLISECOND, {"parrot": Parrot})
    for name, host in places.items():
        if host not in made.state.hosts:
            made.add_host(host)
        made.add_process(name, "parrot", host, None)
    for name in places:
        made.start(name)
    return made


def heard(made, name):
    return [line[2] for line in made.actors[name].lines[1:]]


def test_messages_arrive_in_the_order_they_were_sent_and_carry_their_cause():
    made = world(a="x", b="y")
    for n in range(50):
        made.post("a", "b", f"m{n}", cause=n)
    made.run_until(SECOND)
    lines = made.actors["b"].lines[1:]
    assert [line[2] for line in lines] == [f"m{n}" for n in range(50)]
    assert [line[3] for line in lines] == list(range(50))
    assert all(MILLISECOND <= line[0] <= 2 * MILLISECOND + 50 for line in lines)


def test_an_answer_inherits_the_cause():
    made = world(a="x", b="y")
    made.post("a", "b", "ping", cause=42)
    made.run_until(SECOND)
    assert made.actors["a"].lines[-1][2:] == ("pong", 42)


def test_a_cancelled_or_replaced_timer_never_rings():
    made = world(a="x")
    made.post("outside:t", "a", "arm")
    made.run_until(SECOND // 2)
    made.post("outside:t", "a", "arm")
    made.run_until(3 * SECOND)
    assert heard(made, "a").count("Timer") == 1
    made.post("outside:t", "a", "arm")
    made.post("outside:t", "a", "disarm")
    made.run_until(9 * SECOND)
    assert heard(made, "a").count("Timer") == 1


def test_a_crash_loses_state_and_keeps_only_what_was_synced():
    made = world(a="x", b="x")
    made.add_disk("a", MILLISECOND, MILLISECOND)
    made.post("b", "a", "save")
    made.run_until(SECOND)
    assert "Fsynced" in heard(made, "a")
    made.stop("a")
    made.start("a")
    assert made.actors["a"].lines == [(SECOND, "boot", ["a", "b"])]


def test_peers_of_a_crashed_process_hear_of_it_but_a_dead_host_is_silent():
    made = world(a="x", b="y", c="z")
    made.post("a", "b", "ping")
    made.post("a", "c", "ping")
    made.run_until(SECOND)
    made.stop("b")
    made.stop_host("z")
    made.run_until(2 * SECOND)
    assert heard(made, "a").count("PeerDown") == 1
    made.post("a", "b", "ping")  # refused
    made.post("a", "c", "ping")  # swallowed
    made.run_until(3 * SECOND)
    assert heard(made, "a").count("PeerDown") == 2


def test_a_partition_and_a_one_way_cut():
    made = world(a="x", b="y", c="z")
    made.state.network.partition([["x"], ["y", "z"]])
    made.post("a", "b", "ping")
    made.post("c", "b", "ping")
    made.run_until(SECOND)
    assert heard(made, "a") == [] and "pong" in heard(made, "c")
    made.state.network.heal()
    made.state.network.set_link("x", "y", Link(cut=True), one_way=True)
    made.post("a", "b", "ping")
    made.post("b", "a", "ping")
    made.run_until(2 * SECOND)
    assert heard(made, "a") == ["ping"]


def test_a_paused_process_handles_its_mail_and_timers_when_it_resumes():
    made = world(a="x", b="y")
    made.post("b", "a", "arm")
    made.run_until(SECOND // 2)
    made.pause("a")
    made.post("b", "a", "ping")
    made.run_until(5 * SECOND)
    assert heard(made, "a") == ["arm"]
    made.resume("a")
    made.run_until(6 * SECOND)
    assert heard(made, "a") == ["arm", "ping", "Timer"]


def test_a_process_may_end_itself():
    made = world(a="x")
    made.post("outside:t", "a", "bye")
    made.run_until(SECOND)
    assert not made.state.slots["a"].up


def test_equal_seeds_equal_digests_and_a_restored_world_is_no_different():
    def run(upto, restore_at=None):
        made = world(a="x", b="y")
        for n in range(200):
            made.post("a", "b", "ping", cause=n)
            made.run_until((n + 1) * MILLISECOND)
            if n == restore_at:
                made = World.restore(made.checkpoint(), {"parrot": Parrot})
        made.run_until(upto)
        return made.digest()

    assert run(SECOND) == run(SECOND) == run(SECOND, restore_at=100)
    other = world(a="x", b="y")
    assert other.digest() != run(SECOND)


def test_a_checkpoint_may_hold_plain_data_only():
    class Foreign:
        pass

    made = world(a="x")
    made.actors["a"].state = Note("not of this package")
    with pytest.raises(Exception, match="plain data only"):
        World.restore(made.checkpoint(), {"parrot": Parrot})


def test_a_checkpoint_changes_no_class():
    poison = b"\x80\x04ccluster.sim.actor\nTimer\n(N}(X\x01\x00\x00\x00aK\x01utb."  # Timer, then BUILD with {"a": 1}
    assert pickle.loads(poison) is Timer and Timer.a == 1
    del Timer.a
    with pytest.raises(TypeError):
        PlainUnpickler(BytesIO(poison)).load()
    assert not hasattr(Timer, "a")


@pytest.mark.parametrize("message", [Timer("t"), Fsynced(1), PeerDown("a")])
def test_own_messages_are_values(message):
    assert message == type(message)(*(getattr(message, name) for name in message.__struct_fields__))
