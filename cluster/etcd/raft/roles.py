"""Who a member can be, and every way from one role to another.

In: a role and what happened. Out: the next role. The table is executed (``become`` refuses a change that is not in
it) and is what a page draws. A learner is not a role: it is a follower that has no vote.

Upstream: etcd-io/raft raft.go, becomeFollower and its sisters.
"""

from typing import Final, Literal

Role = Literal["follower", "pre-candidate", "candidate", "leader"]

TRANSITIONS: Final[tuple[tuple[Role, str, Role], ...]] = (
    ("follower", "election timeout, pre-vote on", "pre-candidate"),
    ("follower", "election timeout, or told to by a leader that hands over", "candidate"),
    ("follower", "higher term seen, or a leader's message", "follower"),
    ("pre-candidate", "election timeout: asks again", "pre-candidate"),
    ("pre-candidate", "a quorum would vote for it", "candidate"),
    ("pre-candidate", "a quorum refuses, higher term seen, or a leader's message", "follower"),
    ("candidate", "election timeout: next term", "candidate"),
    ("candidate", "election timeout, pre-vote on", "pre-candidate"),
    ("candidate", "a quorum voted for it", "leader"),
    ("candidate", "a quorum refuses, higher term seen, or a leader's message", "follower"),
    ("leader", "higher term seen, or no quorum answers", "follower"),
)
"""(from, why, to)."""

_ALLOWED: Final[dict[tuple[Role, Role], bool]] = {(a, b): True for a, _, b in TRANSITIONS}


def check(before: Role, after: Role) -> None:
    """AssertionError if no arrow leads from ``before`` to ``after``."""
    assert (before, after) in _ALLOWED, f"no way from {before} to {after}"
