"""Where clients reach the members, as seen from outside of the simulated network.

Inside, members advertise ``https://172.18.0.2:2379``, and that is what the console, the pages and the web door show. Who comes by a member's own port
cannot reach such an address: as behind a NAT, the client URLs in the answers about members are those of the doors, so that ``etcdctl --cluster`` finds them.

In: an answer with ``members`` or ``member``; the place the client came to. Out: the same with other ``clientURLs``. A member without a door keeps its own.

Simplified here: real members behind a NAT must be started with ``--advertise-client-urls`` that outsiders can reach; here each side sees its own.
"""

import re
from typing import Any, Final

from explainer.runs.bus import Bus

PREFIX: Final = "/v3/cluster/member/"
"""The calls whose answers list members."""
DOORS: Final = 3
"""The members that have a port (``config.etcd_ports``)."""
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}")


def place(authority: str, local: Any) -> tuple[str, int]:
    """Where the client dialled: the host that it names (``:authority``, ``Host``), the port at which it arrived.

    A client with several endpoints names one of them, whichever it is talking to.
    """
    found, host = _HOST.fullmatch(authority), getattr(local, "host", "127.0.0.1")
    return found[1] if found is not None else f"[{host}]" if ":" in host else host, getattr(local, "port", 0)


async def reachable(bus: Bus, cluster: str, answer: dict[str, Any], member: str, at: tuple[str, int]) -> dict[str, Any]:
    """``answer`` with the URLs of the doors, for a client that came to ``member``'s door ``at`` (host, port)."""
    listed = [*answer.get("members", []), *([answer["member"]] if "member" in answer else [])]
    if not any("clientURLs" in one for one in listed):
        return answer
    host, port = at
    first = port - 2 * (int(member[1:]) - 1)
    doors = {
        row["memberId"]: f"http://{host}:{first + 2 * (int(row['id'][1:]) - 1)}"
        for row in await bus.query(cluster, "members")
        if re.fullmatch(r"m\d+", row["id"]) and int(row["id"][1:]) <= DOORS
    }

    def outside(one: dict[str, Any]) -> dict[str, Any]:
        door = doors.get(f"{int(one['ID']):x}")
        return {**one, "clientURLs": [door]} if door and "clientURLs" in one else one

    changed = {**answer, "members": [outside(one) for one in answer.get("members", [])]}
    return changed | ({"member": outside(answer["member"])} if "member" in answer else {})
