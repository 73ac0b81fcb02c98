"""Who a member can be, and every way from one role to another.

In: a role and what happened. Out: the next role. The table is executed: ``check`` refuses a change that is not in it, and the
Raft state remembers the last ``Why``; so what a page draws is what runs. A learner is not a role: it is a follower that has no vote.

Upstream: etcd-io/raft raft.go, becomeFollower and its sisters.
"""

from typing import Final, Literal

Role = Literal["follower", "pre-candidate", "candidate", "leader"]
Why = Literal["start", "timeout", "told", "won", "lost", "higher term", "leader", "no quorum"]

TRANSITIONS: Final[tuple[tuple[Role, Why, Role], ...]] = (
    ("follower", "timeout", "pre-candidate"),
    ("follower", "timeout", "candidate"),
    ("follower", "told", "candidate"),
    ("follower", "higher term", "follower"),
    ("follower", "leader", "follower"),
    ("pre-candidate", "timeout", "pre-candidate"),
    ("pre-candidate", "won", "candidate"),
    ("pre-candidate", "lost", "follower"),
    ("pre-candidate", "higher term", "follower"),
    ("pre-candidate", "leader", "follower"),
    ("candidate", "timeout", "candidate"),
    ("candidate", "timeout", "pre-candidate"),
    ("candidate", "won", "leader"),
    ("candidate", "lost", "follower"),
    ("candidate", "higher term", "follower"),
    ("candidate", "leader", "follower"),
    ("leader", "higher term", "follower"),
    ("leader", "leader", "follower"),
    ("leader", "no quorum", "follower"),
)
"""(from, why, to). A timeout leads to pre-candidate where pre-vote is on, else to candidate."""

REASONS: Final[dict[Why, str]] = {
    "start": "the process has just started",
    "timeout": "its election timer ran out: it heard of no leader",
    "told": "a leader that hands over told it to stand at once (TimeoutNow)",
    "won": "a quorum said yes",
    "lost": "a quorum said no",
    "higher term": "it saw a higher term than its own",
    "leader": "it heard the leader of this term",
    "no quorum": "for a whole election timeout fewer than a quorum answered it (check-quorum)",
}
"""Why → one sentence."""

_ALLOWED: Final[dict[tuple[Role, Why, Role], bool]] = dict.fromkeys(TRANSITIONS, True)


def check(before: Role, why: Why, after: Role) -> None:
    """AssertionError if no arrow called ``why`` leads from ``before`` to ``after``."""
    assert (before, why, after) in _ALLOWED, f"no way from {before} to {after} because of: {why}"
