"""Who votes with whom: the clusters that etcd's members form, and what each has, needs and may still lose.

Usually there is one cluster. After a restore that not every member was told of there are two (or more): each elects a leader of its own, numbers its log and
its revisions by itself, and refuses the other's messages ("cluster ID mismatch"). Whoever counts over all members then tells of a quorum that nobody has.

In → the members' rows (``id host up paused role term learner revision cluster names learners``; ``names``: the members as that member knows them, empty when it is
stopped; ``learners``: those of them without a vote) and who hears whom; out → ``[{cluster, members, removed, hears, voters, need, alive, have, mayLose, leader}]``, the largest first. ``have`` counts the
voters of the largest side that hear each other; ``hears``: member → how many voters it hears, itself included; ``removed``: who is no member any more.
"""

from collections.abc import Callable
from typing import Any

from cluster.snapshot.scene import Scene

Row = dict[str, Any]
Hears = Callable[[Row, Row], bool]


def clusters(rows: list[Row], hears: Hears) -> list[dict[str, Any]]:
    """See the module."""
    names = dict.fromkeys(row["cluster"] for row in rows)
    found = [one_cluster(name, [row for row in rows if row["cluster"] == name], hears) for name in names]
    return sorted(found, key=lambda one: (-one["alive"], -len(one["members"])))


def one_cluster(name: str, rows: list[Row], hears: Hears) -> dict[str, Any]:
    """Who the voters are is what the member that has come furthest says; members outside of that list were removed. One that was added and has never
    run is a voter, too: it raises the need."""
    running = [row for row in rows if row["up"] and row["names"]]
    wisest = max(running, key=lambda row: (row["role"] == "leader", row["term"], row["revision"]), default=None)
    known = wisest["names"] if wisest else [row["id"] for row in rows]
    learners = {row["id"] for row in rows if row["learner"]}
    voters = [row for row in rows if row["id"] in known and row["id"] not in learners]
    alive = [row for row in voters if row["up"] and not row["paused"]]
    heard = {a["id"]: sum(1 for b in alive if a["id"] == b["id"] or hears(a, b)) for a in alive}
    # Whom it counts on may have gone to another cluster, too: they are voters that do not answer.
    size = sum(one not in wisest.get("learners", learners) for one in known) if wisest else len(voters)
    need, have = size // 2 + 1, max(heard.values(), default=0)
    return {
        "cluster": name,
        "members": [row["id"] for row in rows],
        "removed": [row["id"] for row in rows if row["id"] not in known],
        "hears": heard,
        "voters": size,
        "need": need,
        "alive": len(alive),
        "have": have,
        "mayLose": max(have - need, 0),
        "leader": _leader(alive, heard, need),
    }


def _leader(alive: list[Row], heard: dict[str, int], need: int) -> str:
    """The leader of the newest term; one that hears a quorum before one that only believes to lead."""
    leaders = [row for row in alive if row["role"] == "leader"]
    return max(leaders, key=lambda row: (heard[row["id"]] >= need, row["term"]))["id"] if leaders else ""


def ears(scene: Scene) -> Hears:
    """Whether two members hear each other, both ways: no partition and no cut link between them."""

    def hears(a: Row, b: Row) -> bool:
        net = scene.world.state.network
        one, other = (a["id"], a["host"]), (b["id"], b["host"])
        if not net.together(*one, *other):
            return False
        return not any(link is not None and link.cut for link in (net.link(*one, *other), net.link(*other, *one)))

    return hears
