"""``kubectl``, in Python: the real one's words, flags and requests, for the cluster's API server.

One file a verb in ``verbs`` (the folder is the registry). A verb module has ``NAMES``; ``FLAGS`` and ``run(k)``, or ``SUBCOMMANDS``: name →
``(flags, run)``. ``run`` is a generator of ``Effect``s that returns the exit status (None: 0); trouble is raised (``failures``).

Simplified here: verbs that need an editor, a tunnel or plug-ins (``edit``, ``port-forward``, ``proxy``, ``attach``, ``cp``, ``debug``) are refused by name;
tables come from the server as always.

Upstream: kubectl 1.32.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from cluster.shell.commands.kubectl import failures, verbs
from cluster.shell.commands.kubectl.command import Kubectl
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure
from cluster.shell.commands.kubectl.flags import GLOBAL, Flag, UsageError, parse
from cluster.shell.interpreter import Context, Run
from cluster.shell.jsonpath import JsonPathError
from cluster.shell.session import FileError

NAMES = ("kubectl", "k")


def _discover() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for info in sorted(iter_modules(verbs.__path__), key=lambda each: each.name):
        module = import_module(f"{verbs.__name__}.{info.name}")
        for name in module.NAMES:
            assert name not in found, f"two verbs named {name}"
            found[name] = module
    return found


VERBS: dict[str, Any] = _discover()

_HELP = """kubectl controls the Kubernetes cluster manager.

 Find more information at: https://kubernetes.io/docs/reference/kubectl/

Commands of this console's kubectl:
  {verbs}

Usage:
  kubectl [flags] [options]
"""


def run(ctx: Context) -> Run:
    """The whole command."""
    words, trail = list(ctx.args), "kubectl"
    try:
        place = _verb_place(words)
        if place is None:
            ctx.out(_HELP.format(verbs=" ".join(sorted(VERBS))))
            return 0
        verb = words.pop(place)
        module = VERBS.get(verb)
        if module is None:
            raise Failure(f'unknown command "{verb}" for "kubectl"')
        trail = f"kubectl {verb}"
        known, action = getattr(module, "FLAGS", {}), getattr(module, "run", None)
        if hasattr(module, "SUBCOMMANDS"):
            sub = _verb_place(words)
            name = words[sub] if sub is not None else ""
            if name in module.SUBCOMMANDS:
                words.pop(sub if sub is not None else 0)
                known, action = module.SUBCOMMANDS[name]
                trail = f"{trail} {name}"
            elif action is None:
                if not name or name.startswith("-"):
                    ctx.out(f"Usage:\n  {trail} [{'|'.join(sorted(module.SUBCOMMANDS))}] [flags]\n")
                    return 0
                raise UsageError(f'unknown command "{name}" for "{trail}"')
        parsed = parse(words, {**GLOBAL, **known})
        if parsed.values["help"]:
            listed = "".join(_flag_help(each, flag) for each, flag in sorted(known.items()))
            ctx.out(f"Usage:\n  {trail} [flags]\n\nOptions:\n{listed}")
            return 0
        assert action is not None
        return (yield from action(Kubectl(ctx, parsed, trail))) or 0
    except UsageError as error:
        hint = f"See '{trail} --help' for usage.\n" if error.hint else ""
        ctx.err(f"error: {error}\n{hint}")
    except (Failure, ApiFailure) as error:
        ctx.err(failures.text(error))
        return error.code if isinstance(error, Failure) else 1
    except JsonPathError as error:
        ctx.err(f"error: error parsing jsonpath, {error}\n")
    except FileError as error:
        ctx.err(f"error: {error}\n")
    return 1


def _verb_place(words: list[str]) -> int | None:
    """Where the first word stands that is no flag and no flag's value."""
    shorts = {flag.short: flag for flag in GLOBAL.values() if flag.short}
    at = 0
    while at < len(words):
        word = words[at]
        if not word.startswith("-") or word == "-":
            return at
        flag = GLOBAL.get(word[2:]) if word.startswith("--") else shorts.get(word[1:]) if len(word) == 2 else None
        at += 2 if flag is not None and flag.kind != "bool" and "=" not in word else 1
    return None


def _flag_help(name: str, flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    return f"    {short}--{name}={flag.default!r}\n".replace("'", "'").replace("()", "[]")
