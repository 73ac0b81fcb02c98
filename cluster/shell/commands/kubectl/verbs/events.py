"""``kubectl events``: what happened, oldest first; ``--for`` one object."""

from cluster.shell.commands.kubectl import describing as d
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.flags import BOOL, LIST, STRING, Flag
from cluster.shell.interpreter import Run
from cluster.shell.tabwriter import align

NAMES = ("events",)
FLAGS = {
    "all-namespaces": Flag("bool", "A", False), "for": STRING, "types": LIST, "no-headers": BOOL, "watch": Flag("bool", "w", False),
    "output": Flag(short="o"),
}  # fmt: skip


def run(k: Kubectl) -> Run:
    """``LAST SEEN  TYPE  REASON  OBJECT  MESSAGE``."""
    query = []
    if k.flags["for"]:
        kind, _, name = k.flags["for"].partition("/")
        mapping = yield from k.client.mapping(kind)
        query.append(("fieldSelector", f"involvedObject.kind={mapping.kind},involvedObject.name={name}"))
    where = "/api/v1/events" if k.flags["all-namespaces"] else f"/api/v1/namespaces/{k.namespace}/events"
    listed = yield from k.client.call("GET", where, [*query, ("limit", "500")])
    found = [each for each in listed.get("items") or () if not k.flags["types"] or each.get("type") in k.flags["types"]]
    if not found:
        k.err("No events found.\n" if k.flags["all-namespaces"] else f"No events found in {k.namespace} namespace.\n")
        return 0
    found.sort(key=lambda each: each.get("lastTimestamp") or each.get("eventTime") or "")
    lead = "NAMESPACE\t" if k.flags["all-namespaces"] else ""
    rows = [] if k.flags["no-headers"] else [f"{lead}LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE"]
    for each in found:
        about = each["involvedObject"]
        place = f"{each['metadata']['namespace']}\t" if lead else ""
        age = d.event_age(each, k.client.now_unix)
        message = (each.get("message") or "").strip()
        rows.append(
            f"{place}{age}\t{each.get('type', '')}\t{each.get('reason', '')}\t{about['kind']}/{about.get('name', '')}\t{message}"
        )
    k.out(align("".join(row + "\n" for row in rows)))
    return 0
