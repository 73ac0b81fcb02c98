"""``kubectl set image`` and ``kubectl set env``: change a workload's containers."""

from typing import Any

from cluster.shell.commands.kubectl.command import Kubectl, Target, finish
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import BOOL, DRY_RUN, FILES, OUTPUT, SELECTOR, STRING, Flag
from cluster.shell.interpreter import Run

NAMES = ("set",)
COMMON = {**DRY_RUN, **FILES, **SELECTOR, **OUTPUT, "all": BOOL, "local": BOOL}

Doc = dict[str, Any]


def _split(k: Kubectl) -> dict[str, str]:
    """Words with ``=`` are changes, the others name resources."""
    pairs = {}
    for word in k.args:
        if "=" in word:
            key, _, value = word.partition("=")
            pairs[key] = value
    k.args = [word for word in k.args if "=" not in word]
    return pairs


def _pod_spec(target: Target) -> tuple[Doc, bool]:
    spec = (target.doc or {}).get("spec") or {}
    if target.mapping.kind == "Pod":
        return spec, True
    if target.mapping.kind == "CronJob":
        raise Failure("cronjobs are not supported by this console's kubectl set")
    return (spec.get("template") or {}).get("spec") or {}, False


def _submit(k: Kubectl, target: Target, change: Doc, manager: str, word: str) -> Run:
    _, bare = _pod_spec(target)
    patch = {"spec": change if bare else {"template": {"spec": change}}}
    doc = target.doc or {}
    if k.dry_run != "client":
        content = "application/strategic-merge-patch+json"
        doc = yield from k.client.call("PATCH", target.path, k.write_query(manager), patch, content=content)
    finish(k, target, doc, word)
    return 0


def _image(k: Kubectl) -> Run:
    pairs = _split(k)
    if not pairs:
        raise Failure("at least one image update is required")
    for target in (
        yield from k.objects(
            required="one or more resources must be specified as <resource> <name> or <resource>/<name>"
        )
    ):
        spec, _ = _pod_spec(target)
        change: Doc = {}
        for field in ("containers", "initContainers"):
            hits = [
                {"image": pairs.get(each["name"], pairs.get("*", "")), "name": each["name"]}
                for each in spec.get(field) or ()
                if each["name"] in pairs or "*" in pairs
            ]
            if hits:
                change[field] = hits
        names = [each["name"] for field in ("containers", "initContainers") for each in spec.get(field) or ()]
        for name in pairs:
            if name != "*" and name not in names:
                raise Failure(f'unable to find container named "{name}"')
        same = all(
            each["image"] == hit["image"]
            for field in change
            for hit in change[field]
            for each in spec[field]
            if each["name"] == hit["name"]
        )
        if not same:
            yield from _submit(k, target, change, "kubectl-set", "image updated")
    return 0


def _env(k: Kubectl) -> Run:
    removed = [word[:-1] for word in k.args if word.endswith("-") and "/" not in word]
    k.args = [word for word in k.args if not (word.endswith("-") and "/" not in word)]
    pairs = _split(k)
    for target in (
        yield from k.objects(
            required="one or more resources must be specified as <resource> <name> or <resource>/<name>"
        )
    ):
        spec, _ = _pod_spec(target)
        containers = [each for each in spec.get("containers") or () if k.flags["containers"] in ("*", each["name"])]
        if k.flags["list"]:
            for each in containers:
                k.out(f"# {target.mapping.plural} {target.name}, container {each['name']}\n")
                k.out("".join(f"{pair['name']}={pair.get('value', '')}\n" for pair in each.get("env") or ()))
            continue
        changes = []
        for each in containers:
            env: list[Doc] = [{"name": key, "value": value} for key, value in pairs.items()]
            env += [{"$patch": "delete", "name": key} for key in removed]
            changes.append({"env": env, "name": each["name"]})
        yield from _submit(k, target, {"containers": changes}, "kubectl-set", "env updated")
    return 0


SUBCOMMANDS = {
    "image": (COMMON, _image),
    "env": ({**COMMON, "list": BOOL, "containers": Flag(short="c", default="*"), "from": STRING}, _env),
}
