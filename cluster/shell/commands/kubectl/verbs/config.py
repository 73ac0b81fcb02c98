"""``kubectl config``: look at and change the kubeconfig (a virtual file of the session)."""

from typing import Any

from cluster.shell.commands.kubectl import kubeconfig, printers
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.commands.kubectl.flags import BOOL, OUTPUT, STRING, Flag
from cluster.shell.interpreter import Run
from cluster.shell.tabwriter import align

NAMES = ("config",)

Doc = dict[str, Any]
_SECRETS = ("client-certificate-data", "client-key-data", "certificate-authority-data")


def _nothing() -> Run:
    """A generator that asks for nothing, so that every verb is one."""
    yield from ()
    return 0


def _view(k: Kubectl) -> Run:
    doc = kubeconfig.load(k.ctx, k.flags)
    if k.flags["minify"]:
        doc = _minified(k, doc)
    if not (k.flags["raw"] or k.flags["flatten"]):
        doc = _redacted(doc)
    k.out(printers.structured(doc, k.flags["output"] or "yaml", k.flags))
    return (yield from _nothing())


def _minified(k: Kubectl, doc: Doc) -> Doc:
    name = k.flags.get("context") or doc.get("current-context") or ""
    context = kubeconfig.named(doc, "contexts", name)
    if context is None:
        raise Failure("current-context must exist in order to minify")
    return {
        **doc,
        "current-context": name,
        "clusters": [each for each in doc["clusters"] if each["name"] == context.get("cluster")],
        "contexts": [each for each in doc["contexts"] if each["name"] == name],
        "users": [each for each in doc["users"] if each["name"] == context.get("user")],
    }


def _redacted(doc: Doc) -> Doc:
    def clean(entry: Doc, kind: str) -> Doc:
        inner = dict(entry.get(kind) or {})
        for key in _SECRETS:
            if key in inner:
                inner[key] = "DATA+OMITTED"
        for key in ("token", "password"):
            if key in inner:
                inner[key] = "REDACTED"
        return {**entry, kind: inner}

    return {
        **doc,
        "clusters": [clean(each, "cluster") for each in doc.get("clusters") or ()],
        "users": [clean(each, "user") for each in doc.get("users") or ()],
    }


def _current(k: Kubectl) -> Run:
    name = kubeconfig.load(k.ctx, k.flags).get("current-context")
    if not name:
        raise Failure("current-context is not set")
    k.out(name + "\n")
    return (yield from _nothing())


def _contexts(k: Kubectl) -> Run:
    doc = kubeconfig.load(k.ctx, k.flags)
    every = sorted(doc.get("contexts") or (), key=lambda each: each["name"])
    if k.args:
        missing = [name for name in k.args if not any(each["name"] == name for each in every)]
        if missing:
            raise Failure(f"context {missing[0]} not found")
        every = [each for each in every if each["name"] in k.args]
    if k.flags["output"] == "name":
        k.out("".join(each["name"] + "\n" for each in every))
        return (yield from _nothing())
    rows = [] if k.flags["no-headers"] else ["CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE"]
    for each in every:
        inner = each.get("context") or {}
        star = "*" if each["name"] == doc.get("current-context") else ""
        rows.append(
            "\t".join([star, each["name"], inner.get("cluster", ""), inner.get("user", ""), inner.get("namespace", "")])
        )
    k.out(align("".join(row + "\n" for row in rows)))
    return (yield from _nothing())


def _names(kind: str, title: str) -> Any:
    def show(k: Kubectl) -> Run:
        doc = kubeconfig.load(k.ctx, k.flags)
        k.out("".join(line + "\n" for line in [title, *sorted(each["name"] for each in doc.get(kind) or ())]))
        return (yield from _nothing())

    return show


def _use(k: Kubectl) -> Run:
    if len(k.args) != 1:
        raise Failure("unexpected args: a context name is needed" if not k.args else f"unexpected args: {k.args[1:]}")
    doc = kubeconfig.load(k.ctx, k.flags)
    if kubeconfig.named(doc, "contexts", k.args[0]) is None:
        raise Failure(f'no context exists with the name: "{k.args[0]}"')
    kubeconfig.save(k.ctx, k.flags, {**doc, "current-context": k.args[0]})
    k.out(f'Switched to context "{k.args[0]}".\n')
    return (yield from _nothing())


def _set_context(k: Kubectl) -> Run:
    doc = kubeconfig.load(k.ctx, k.flags)
    name = doc.get("current-context", "") if k.flags["current"] else (k.args or [""])[0]
    if not name:
        raise Failure("you must specify a non-empty context name or --current")
    old = kubeconfig.named(doc, "contexts", name)
    inner = dict(old or {})
    for key in ("cluster", "user", "namespace"):
        if k.given.get(key):
            inner[key] = k.flags[key]
    rest = [each for each in doc.get("contexts") or () if each["name"] != name]
    kubeconfig.save(k.ctx, k.flags, {**doc, "contexts": [*rest, {"context": inner, "name": name}]})
    k.out(f'Context "{name}" {"modified" if old is not None else "created"}.\n')
    return (yield from _nothing())


def _set_credentials(k: Kubectl) -> Run:
    if len(k.args) != 1:
        raise Failure("unexpected args: a user name is needed")
    doc = kubeconfig.load(k.ctx, k.flags)
    inner = dict(kubeconfig.named(doc, "users", k.args[0]) or {})
    if k.flags["token"]:
        inner = {"token": k.flags["token"]}
    rest = [each for each in doc.get("users") or () if each["name"] != k.args[0]]
    kubeconfig.save(k.ctx, k.flags, {**doc, "users": [*rest, {"name": k.args[0], "user": inner}]})
    k.out(f'User "{k.args[0]}" set.\n')
    return (yield from _nothing())


_LIST = {"output": Flag(short="o"), "no-headers": BOOL}
SUBCOMMANDS = {
    "view": ({**OUTPUT, "minify": BOOL, "raw": BOOL, "flatten": BOOL, "merge": BOOL}, _view),
    "current-context": ({}, _current),
    "get-contexts": (_LIST, _contexts),
    "get-clusters": ({}, _names("clusters", "NAME")),
    "get-users": ({}, _names("users", "NAME")),
    "use-context": ({}, _use),
    "use": ({}, _use),
    "set-context": ({"current": BOOL}, _set_context),
    "set-credentials": ({"username": STRING}, _set_credentials),
}
