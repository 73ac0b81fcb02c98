"""etcd for the pages under test: three members, m2 leads, m1 lags, one append is on its way; and a small key space."""

from __future__ import annotations

from typing import Any

from cluster.etcd.views import role_table
from cluster.snapshot.quorum import clusters
from tests.browser import fixture_world


def bench(shown: int = 40, until: int = 0, promises: bool = False, at: str = "") -> dict[str, Any]:
    """The page's model, from the fixture's members."""
    rows = fixture_world.members_at(at) if at else fixture_world.members()
    last = max(row["lastIndex"] for row in rows)
    end = min(until, last) if until else last
    first = end - min(shown, 22) + 1
    for row in rows:
        row["log"] = [[*entry, 4060] for entry in row["log"] if first <= entry[0] <= end]
        row |= {
            "memberId": "aa", "learner": False, "durable": row["lastIndex"], "firstIndex": 1, "slow": False, "votes": {},
            "fsyncMs": [1.0, 2.0], "writing": None, "pendingRequests": 0, "last": None, "alarms": [], "why": "", "cluster": "c1",
            "removed": False,
        }  # fmt: skip
        for told in row.setdefault("progress", []):
            told |= {"inflight": 0, "paused": False, "active": True, "pendingSnapshot": 0}
        row["progress"] = [told for told in row["progress"] if told["id"] != row["id"]]
    rows[2]["last"] = ["candidate", "follower", fixture_world.NOW - 1_000_000]
    names = [row["id"] for row in rows]
    append = {
        "sequence": 71, "src": "m2", "dst": "m1", "kind": "MsgApp", "sentMicros": fixture_world.NOW - 400,
        "arriveMicros": fixture_world.NOW + 600, "cause": 4060, "term": 3, "index": 811, "logTerm": 3, "commit": 812,
        "entries": [[812, 3, "put /registry/pods/default/web-7d4b9c6f5d-x2k9f={}", 4060]], "count": 1,
    }  # fmt: skip
    send = {"change": "send", "type": "MsgPreVote", "reject": False, "entries": 0, "durable": False}
    due = [
        {
            "sequence": 71, "kind": "message", "member": "m1", "from": "m2", "what": "MsgApp", "atMicros": append["arriveMicros"],
            "does": [{"change": "append", "first": 812, "last": 812}, {"change": "commit", "from": 811, "to": 812}],
        },
        {
            "sequence": 72, "kind": "disk", "member": "m3", "from": "", "what": "fsync", "atMicros": fixture_world.NOW + 900,
            "does": [{"change": "nothing", "why": "stale"}],
        },
        {
            "sequence": 73, "kind": "timer", "member": "m3", "from": "", "what": "election timeout",
            "atMicros": fixture_world.NOW + 500_000,
            "does": [
                {"change": "role", "from": "follower", "to": "pre-candidate", "why": "timeout"},
                {**send, "to": "m1"},
                {**send, "to": "m2"},
            ],
        },
    ]  # fmt: skip
    return {
        "nowMicros": fixture_world.instant(at) if at else fixture_world.NOW,
        "members": rows,
        "clusters": formed(rows),
        "firstShown": first,
        "lastShown": end,
        "last": last,
        "flights": [append],
        "due": due,
        "ways": [[a, b, "ok", 0.0] for a in names for b in names if a != b],
        "promises": [
            {"key": "election-safety", "name": "Election safety", "holds": True, "evidence": [{"term": 3, "leaders": ["m2"]}]},
        ],
        "tables": role_table(),
        "settings": {
            "preVote": True, "checkQuorum": True, "heartbeatMs": 100, "electionMs": 1000, "snapshotCount": 10_000,
            "bare": False,
        },
    }  # fmt: skip


def formed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The clusters of such rows, all of whom hear each other."""
    return clusters([{**row, "names": [one["id"] for one in rows]} for row in rows], lambda a, b: True)


def keyspace(prefix: str = "/", key: str = "", revision: int = 0, limit: int = 200) -> dict[str, Any]:
    """A level of folders and a key, and that key's history."""
    version = {
        "mod": 790,
        "create": 700,
        "version": 2,
        "deleted": False,
        "lease": "",
        "cause": 4060,
        "kept": True,
        "bytes": 20,
    }
    return {
        "member": "m2", "revision": 798, "asked": revision, "compacted": 600, "gone": False, "prefix": prefix, "size": 20480,
        "inUse": 18000, "count": 3, "more": 0,
        "rows": [
            {"folder": f"{prefix}default/", "count": 2},
            {"key": f"{prefix}web", "mod": 790, "create": 700, "version": 2, "bytes": 20, "lease": "", "cause": 4060},
        ],
        "key": key and {"key": key, "more": 0, "versions": [
            {**version, "value": '{"spec":{"replicas":3}}'},
            {**version, "mod": 700, "version": 1, "value": '{"spec":{"replicas":2}}'},
        ]},
    }  # fmt: skip


VIEWS = {"bench": bench, "keyspace": keyspace}
