"""Who belongs to the cluster: ids, names, addresses, learners; what may be changed when.

In: seeds of a new cluster, committed membership changes. Out: the member list of the client API, processes by id.
Errors: ``Refused``. Upstream: server/etcdserver/api/membership/cluster.go.
"""

from typing import Final

from msgspec import Struct, field

from cluster.etcd import errors
from cluster.etcd.errors import Refused
from cluster.etcd.raft import ConfChange
from cluster.wire.etcd import Member

MAX_LEARNERS: Final = 1


class MemberSeed(Struct, frozen=True):
    """A member of the initial cluster. ``process`` is where its mail goes; ``host`` is its machine."""

    id: int
    name: str
    process: str
    host: str


class Joining(Struct, frozen=True):
    """Context of a membership change: the member, and the process that runs it."""

    member: Member
    process: str
    promote: bool = False


class Membership(Struct):
    """Applied membership. ``removed`` ids never come back: their messages are ignored."""

    members: dict[int, Member] = field(default_factory=dict)
    processes: dict[int, str] = field(default_factory=dict)
    removed: dict[int, None] = field(default_factory=dict)

    def copy(self) -> "Membership":
        """For a snapshot."""
        return Membership(dict(self.members), dict(self.processes), dict(self.removed))

    def id_of(self, process: str) -> int:
        """The member whose process this is; 0 if none."""
        for member, name in self.processes.items():
            if name == process:
                return member
        return 0

    def name_of(self, member: int) -> str:
        """The process of a member; "" for 0 or unknown."""
        return self.processes.get(member, "")

    def listing(self) -> tuple[Member, ...]:
        """All members, by id as the client API lists them."""
        return tuple(self.members[member] for member in sorted(self.members))

    def voters(self) -> list[int]:
        """Ids of the members with a vote."""
        return [member for member, m in self.members.items() if not m.is_learner]

    def check(self, change: ConfChange) -> None:
        """Refuse a change that makes no sense for the members as they are when it is applied."""
        known = self.members.get(change.node)
        if change.node in self.removed:
            raise Refused(*errors.MEMBER_NOT_FOUND)
        if change.type == "ConfChangeRemoveNode":
            if known is None:
                raise Refused(*errors.MEMBER_NOT_FOUND)
            return
        joining: Joining = change.context
        if change.type == "ConfChangeUpdateNode":
            if known is None:
                raise Refused(*errors.MEMBER_NOT_FOUND)
            others = {url: None for m in self.members.values() if m.id != change.node for url in m.peer_urls}
            if any(url in others for url in joining.member.peer_urls):
                raise Refused(*errors.PEER_URL_EXISTS)
            return
        if joining.promote:
            if known is None:
                raise Refused(*errors.MEMBER_NOT_FOUND)
            if not known.is_learner:
                raise Refused(*errors.NOT_LEARNER)
            return
        if known is not None:
            raise Refused(*errors.MEMBER_EXISTS)
        taken = {url: None for m in self.members.values() for url in m.peer_urls}
        if any(url in taken for url in joining.member.peer_urls):
            raise Refused(*errors.PEER_URL_EXISTS)
        learners = sum(m.is_learner for m in self.members.values())
        if joining.member.is_learner and learners >= MAX_LEARNERS:
            raise Refused(*errors.TOO_MANY_LEARNERS)

    def apply(self, change: ConfChange) -> None:
        """Make a checked change effective."""
        node = change.node
        if change.type == "ConfChangeRemoveNode":
            self.members.pop(node, None)
            self.processes.pop(node, None)
            self.removed[node] = None
            return
        joining: Joining = change.context
        member = self.members.get(node)
        if joining.promote and member is not None:
            self.members[node] = Member(node, member.name, member.peer_urls, member.client_urls, False)
        elif change.type == "ConfChangeUpdateNode" and member is not None:
            urls = joining.member.peer_urls
            self.members[node] = Member(node, member.name, urls, member.client_urls, member.is_learner)
        else:
            self.members[node] = joining.member
            self.processes[node] = joining.process

    def publish(self, member: int, name: str, client_urls: tuple[str, ...]) -> None:
        """A started member says what it is called and where clients reach it."""
        old = self.members.get(member)
        if old is not None:
            self.members[member] = Member(member, name, old.peer_urls, client_urls, old.is_learner)


def seed_member(seed: MemberSeed, address: str, named: bool) -> Member:
    """The Member a seed stands for. Unnamed until it has published itself."""
    return Member(
        id=seed.id,
        name=seed.name if named else "",
        peer_urls=(f"https://{address}:2380",),
        client_urls=(f"https://{address}:2379",) if named else (),
    )
