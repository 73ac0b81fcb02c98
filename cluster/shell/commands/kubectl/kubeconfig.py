"""The kubeconfig: which server, as whom, in which namespace. Here a virtual file of the session.

Upstream: client-go/tools/clientcmd.
"""

from base64 import b64decode
from typing import Any

import yaml
from msgspec import Struct

from cluster.shell import yaml_input
from cluster.shell.commands.kubectl.failures import Failure
from cluster.shell.goyaml import dump
from cluster.shell.interpreter import Context
from cluster.shell.session import KUBECONFIG, FileError
from cluster.shell.tls import peer_of_files
from cluster.wire.http import TlsPeer

Doc = dict[str, Any]


class Identity(Struct, frozen=True):
    """What the current context leads to."""

    server: str
    namespace: str
    peer: TlsPeer
    token: str = ""


def path(ctx: Context, flags: dict[str, Any]) -> str:
    """The file's name: ``--kubeconfig``, else ``$KUBECONFIG``, else ``~/.kube/config``."""
    return flags.get("kubeconfig") or ctx.env.get("KUBECONFIG") or KUBECONFIG


def load(ctx: Context, flags: dict[str, Any]) -> Doc:
    """The document; an empty one if there is no file."""
    name = path(ctx, flags)
    try:
        doc = yaml_input.load(ctx.files.read(name))
    except FileError as error:
        if flags.get("kubeconfig"):
            raise Failure(f"stat {name}: {str(error).lower()}") from None
        doc = None
    except yaml.YAMLError as error:
        raise Failure(f'error loading config file "{name}": {error}') from None
    empty: Doc = {"apiVersion": "v1", "clusters": [], "contexts": [], "current-context": "", "kind": "Config"}
    return doc if isinstance(doc, dict) else {**empty, "preferences": {}, "users": []}


def save(ctx: Context, flags: dict[str, Any], doc: Doc) -> None:
    """Write it back."""
    ctx.files.write(path(ctx, flags), dump(doc))


def named(doc: Doc, kind: str, name: str) -> Doc | None:
    """The entry of ``clusters``, ``contexts`` or ``users`` with that name."""
    for each in doc.get(kind) or ():
        if each.get("name") == name:
            return each.get(kind.removesuffix("s")) or {}
    return None


def identity(ctx: Context, flags: dict[str, Any]) -> Identity:
    """Resolve the context. Failure when it names what isn't there."""
    doc = load(ctx, flags)
    current = flags.get("context") or doc.get("current-context") or ""
    context = named(doc, "contexts", current)
    if context is None:
        if flags.get("context"):
            raise Failure(f'context "{current}" does not exist')
        context = {}
    cluster = named(doc, "clusters", flags.get("cluster") or context.get("cluster", "")) or {}
    chosen = flags.get("user")  # `create rolebinding --user` means something else: a list of subjects
    user = named(doc, "users", chosen if isinstance(chosen, str) and chosen else context.get("user", "")) or {}
    server = flags.get("server") or cluster.get("server") or "http://localhost:8080"
    namespace = flags.get("namespace") or context.get("namespace") or "default"
    token = flags.get("token") or user.get("token") or ""
    return Identity(server, namespace, TlsPeer() if flags.get("token") else _peer(ctx, user), token)


def _peer(ctx: Context, user: Doc) -> TlsPeer:
    certificate, key = user.get("client-certificate-data"), user.get("client-key-data")
    if not certificate or not key:
        return TlsPeer()
    if certificate in ctx.config.kubeconfig:  # the certificate this console was given: the topology says whose it is
        return ctx.config.admin
    try:
        pem = [b64decode(each).decode() for each in (certificate, key)]
        return peer_of_files(pem[0], pem[1], ctx.config.ca_pem)
    except ValueError as error:
        raise Failure(f"tls: failed to find any PEM data in certificate input: {error}") from None
