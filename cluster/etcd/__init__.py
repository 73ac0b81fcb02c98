"""etcd: a key-value store that stays the same on several machines. Raft below, revisions above, watches beside.

Read in this order: ``raft`` (agreeing on a log), ``mvcc`` (what applying the log makes: keys with a history),
``watch``, ``lease``, ``membership``, then ``member`` (one etcd process: disk, clients, timers), ``gateway`` (JSON).
"""

from cluster.etcd.member import EtcdMember, MemberConfig, MemberSeed

__all__ = ["EtcdMember", "MemberConfig", "MemberSeed"]
