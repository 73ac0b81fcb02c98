"""What the network remembers of connections is bounded, and forgetting changes no order."""

from cluster.sim.clock import MILLISECOND, SECOND
from cluster.sim.dice import Dice
from cluster.sim.network import Network


def test_connections_that_are_over_are_forgotten() -> None:
    network = Network(Dice.named(1, "network"), MILLISECOND, 2 * MILLISECOND)
    for number in range(50_000):
        network.route(f"outside:c{number}", "outside", "lb", "lb", False, number * SECOND // 100)
    assert len(network.last) < 15_000


def test_forgetting_lets_nobody_overtake() -> None:
    network = Network(Dice.named(1, "network"), MILLISECOND, 50 * MILLISECOND)
    network.room, arrivals = 100, []
    for number in range(2000):
        now = number * MILLISECOND
        network.route(f"outside:c{number}", "outside", "lb", "lb", False, now)
        arrivals.append(network.route("a", "h1", "b", "h2", False, now)[0])
    assert arrivals == sorted(set(arrivals))
