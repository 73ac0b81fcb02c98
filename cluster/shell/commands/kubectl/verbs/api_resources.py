"""``kubectl api-resources`` and ``kubectl api-versions``: what the server has, from discovery."""

from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import BOOL, LIST, STRING, Flag
from cluster.shell.interpreter import Run
from cluster.shell.tabwriter import align

NAMES = ("api-resources", "api-versions")
FLAGS = {
    "api-group": STRING, "namespaced": Flag("bool", default=True), "verbs": LIST, "output": Flag(short="o"), "no-headers": BOOL,
    "sort-by": STRING, "categories": LIST, "cached": BOOL,
}  # fmt: skip


def run(k: Kubectl) -> Run:
    """A table, or names with ``-o name``."""
    every = yield from k.client.mappings(refresh=not k.flags["cached"])
    if k.trail.endswith("api-versions"):
        k.out("".join(f"{each}\n" for each in sorted({mapping.api_version for mapping in every})))
        return 0
    if k.args:
        raise Failure(
            f"unexpected arguments: [{' '.join(k.args)}]\nSee 'kubectl api-resources -h' for help and examples"
        )
    preferred: dict[str, str] = {}
    for mapping in every:
        preferred.setdefault(mapping.group, mapping.version)
    shown = [
        mapping
        for mapping in every
        if mapping.verbs
        and mapping.version == preferred[mapping.group]
        and (not k.given.get("namespaced") or mapping.namespaced == k.flags["namespaced"])
        and (not k.given.get("api-group") or mapping.group == k.flags["api-group"])
        and all(verb in mapping.verbs for verb in k.flags["verbs"])
        and all(category in mapping.categories for category in k.flags["categories"])
    ]
    shown.sort(key=lambda mapping: (mapping.group, mapping.plural))
    if k.flags["sort-by"] in ("name", "kind"):
        shown.sort(key=lambda mapping: mapping.plural if k.flags["sort-by"] == "name" else mapping.kind)
    if k.flags["output"] == "name":
        k.out("".join(f"{mapping.resource}\n" for mapping in shown))
        return 0
    wide = k.flags["output"] == "wide"
    heads = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", *(["VERBS", "CATEGORIES"] if wide else [])]
    rows = [] if k.flags["no-headers"] else ["\t".join(heads)]
    for mapping in shown:
        cells = [mapping.plural, ",".join(mapping.short_names), mapping.api_version]
        cells += ["true" if mapping.namespaced else "false", mapping.kind]
        cells += [",".join(mapping.verbs), ",".join(mapping.categories)] if wide else []
        rows.append("\t".join(cells))
    k.out(align("".join(row + "\n" for row in rows)))
    return 0
