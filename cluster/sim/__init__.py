"""Physics: time, chance, mail, links, disks, faults and history. Knows no Kubernetes word.

The room everything else stands in. ``World`` owns the event queue; an ``Actor`` reads one message or timer at a time
and writes only to its ``Outbox``. It never acts and never looks around, so a run is a function of (spec, seed, inputs).
"""

from cluster.sim.actor import Actor, Fsynced, Outbox, PeerDown, Timer
from cluster.sim.clock import HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND
from cluster.sim.dice import Dice
from cluster.sim.disk import Disk
from cluster.sim.history import History, Mark
from cluster.sim.network import Link, Network
from cluster.sim.world import Host, Observer, Slot, World

__all__ = [
    "HOUR",
    "MICROSECOND",
    "MILLISECOND",
    "MINUTE",
    "SECOND",
    "Actor",
    "Dice",
    "Disk",
    "Fsynced",
    "History",
    "Host",
    "Link",
    "Mark",
    "Network",
    "Observer",
    "Outbox",
    "PeerDown",
    "Slot",
    "Timer",
    "World",
]
