"""What every verb works with: its flags, the client, the objects that its words, selectors and files name.

``Kubectl.targets`` turns ``pods web-1``, ``deploy/web svc/web``, ``-l app=web``, ``-f file`` into ``Target``s, as kubectl's resource builder does.

Upstream: cli-runtime/pkg/resource, kubectl/pkg/cmd/util.
"""

from collections.abc import Generator
from functools import cached_property
from typing import Any

import yaml
from msgspec import Struct

from cluster.shell.commands.kubectl import printers
from cluster.shell.commands.kubectl.client import Client, Mapping
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import Parsed
from cluster.shell.effects import Answer, Effect
from cluster.shell.interpreter import Context
from cluster.shell.session import FileError
from cluster.shell.yaml_input import load_all

Doc = dict[str, Any]
MAX_DOCUMENTS = 500


class Target(Struct):
    """One object that the command is about. ``doc`` is set when it was read (from a file or the server)."""

    mapping: Mapping
    namespace: str
    name: str
    doc: Doc | None = None
    source: str = ""

    @property
    def shown(self) -> str:
        """``deployment.apps/web``."""
        return f"{self.mapping.shown}/{self.name}"

    @property
    def path(self) -> str:
        """Its URL path."""
        return self.mapping.path(self.namespace, self.name)


class Kubectl:
    """One kubectl command being run."""

    def __init__(self, ctx: Context, parsed: Parsed, trail: str) -> None:
        self.ctx = ctx
        self.flags = parsed.values
        self.given = parsed.given
        self.args = parsed.args
        self.dash = parsed.dash
        self.trail = trail

    @cached_property
    def client(self) -> Client:
        """The connection."""
        return Client(self.ctx, self.flags)

    @property
    def namespace(self) -> str:
        """``-n``, else the context's, else default."""
        return self.client.identity.namespace

    def out(self, text: str) -> None:
        """Standard output."""
        self.ctx.out(text)

    def err(self, text: str) -> None:
        """Standard error."""
        self.ctx.err(text)

    # -- dry run -------------------------------------------------------------------------------------------------------

    @property
    def dry_run(self) -> str:
        """ "none", "client" or "server"."""
        value = self.flags.get("dry-run", "none")
        if value not in ("none", "client", "server", "unchanged"):
            raise Failure(f'Invalid dry-run value ({value}). Must be "none", "server", or "client".')
        if value == "unchanged":
            self.err("W: --dry-run is deprecated and can be replaced with --dry-run=client.\n")
            return "client"
        return value

    @property
    def dry_suffix(self) -> str:
        """What is added to ``… created``."""
        return {"client": " (dry run)", "server": " (server dry run)"}.get(self.dry_run, "")

    def write_query(self, manager: str) -> list[tuple[str, str]]:
        """``fieldManager``, ``dryRun`` and ``fieldValidation`` of a write."""
        query = [("dryRun", "All")] if self.dry_run == "server" else []
        query.append(("fieldManager", self.flags.get("field-manager") or manager))
        if "validate" in self.flags:
            value = {"true": "Strict", "strict": "Strict", "warn": "Warn", "ignore": "Ignore", "false": "Ignore"}.get(
                str(self.flags["validate"]).lower()
            )
            if value is None:
                raise Failure(f'invalid - validate option "{self.flags["validate"]}"')
            query.append(("fieldValidation", value))
        return query

    # -- objects -------------------------------------------------------------------------------------------------------

    def read_files(self) -> list[tuple[str, Doc]]:
        """``-f`` as (source, document) pairs; Lists are opened."""
        if self.flags.get("kustomize"):
            raise Failure("kustomize is not supported in this console")
        found: list[tuple[str, Doc]] = []
        for name in self.flags.get("filename") or ():
            found.extend(self._read(name))
        if len(found) > MAX_DOCUMENTS:
            raise Failure(f"more than {MAX_DOCUMENTS} documents are too many for this console")
        return found

    def _read(self, name: str) -> list[tuple[str, Doc]]:
        if name.startswith(("http://", "https://")):
            raise Failure(f'unable to read URL "{name}": this console has no network but the cluster\'s')
        source = "STDIN" if name == "-" else name
        try:
            text = self.ctx.stdin if name == "-" else self.ctx.files.read(name)
        except FileError:
            raise Failure(f'the path "{name}" does not exist') from None
        try:
            docs = [doc for doc in load_all(text) if doc is not None]
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
            problem = getattr(error, "problem", None) or str(error)
            raise Failure(
                f"error parsing {source}: error converting YAML to JSON: yaml: line {line}: {problem}"
            ) from None
        found: list[tuple[str, Doc]] = []
        for doc in docs:
            if not isinstance(doc, dict):
                raise Failure(
                    f"error parsing {source}: error unmarshaling JSON: json: cannot unmarshal {_json_type(doc)} into Go value of type map[string]interface {{}}"
                )
            if str(doc.get("kind", "")).endswith("List") and isinstance(doc.get("items"), list):
                found += [(source, each) for each in doc["items"]]
                continue
            missing = [key for key in ("apiVersion", "kind") if not doc.get(key)]
            if missing:
                why = ", ".join(f"{key} not set" for key in missing)
                raise Failure(
                    f'error validating "{source}": error validating data: [{why}]; if you choose to ignore these errors, turn validation off with --validate=false'
                    if len(missing) > 1
                    else f'error validating "{source}": error validating data: {why}; if you choose to ignore these errors, turn validation off with --validate=false'
                )
            found.append((source, doc))
        if not found:
            raise Failure("no objects passed to " + self.trail.rsplit(" ", 1)[-1])
        return found

    def file_targets(self) -> Generator[Effect, Answer, list[Target]]:
        """The objects that ``-f`` names."""
        found = []
        for source, doc in self.read_files():
            mapping = yield from self.client.mapping_of(doc, source)
            metadata = doc.get("metadata") or {}
            namespace = ""
            if mapping.namespaced:
                namespace = metadata.get("namespace") or self.namespace
                if self.flags.get("namespace") and namespace != self.flags["namespace"]:
                    raise Failure(
                        f'the namespace from the provided object "{namespace}" does not match the namespace '
                        f"\"{self.flags['namespace']}\". You must pass '--namespace={namespace}' to perform this operation."
                    )
            found.append(Target(mapping, namespace, metadata.get("name", ""), doc, source))
        return found

    def kinds(self, word: str) -> Generator[Effect, Answer, list[Mapping]]:
        """The kinds of ``pods,svc`` or of the category ``all``."""
        found: list[Mapping] = []
        for each in word.split(","):
            every = yield from self.client.mappings()
            category = [m for m in every if each in m.categories and "list" in m.verbs]
            plain = not any(each in (m.plural, m.singular, *m.short_names) for m in every)
            if category and plain:
                latest: dict[tuple[str, str], Mapping] = {}
                for mapping in category:
                    latest.setdefault((mapping.group, mapping.kind), mapping)
                found.extend(latest.values())
            else:
                found.append((yield from self.client.mapping(each)))
        return found

    def named(self, args: list[str] | None = None) -> Generator[Effect, Answer, tuple[list[Mapping], list[Target]]]:
        """Words as ``(kinds without names, objects by name)``: ``pods``, ``pods a b``, ``pod/a svc/b``."""
        words = self.args if args is None else args
        if any("/" in word for word in words):
            targets = []
            for word in words:
                kind, slash, name = word.partition("/")
                if not slash:
                    raise Failure(
                        "there is no need to specify a resource type as a separate argument when passing arguments in "
                        f"resource/name form (e.g. '{self.trail} resource/<resource_name>' instead of '{self.trail} resource "
                        "resource/<resource_name>'"
                    )
                if not kind or not name or "/" in name:
                    raise Failure("arguments in resource/name form must have a single resource and name")
                mapping = yield from self.client.mapping(kind)
                targets.append(self.target(mapping, name))
            return [], targets
        if not words:
            return [], []
        kinds = yield from self.kinds(words[0])
        if len(words) == 1:
            return kinds, []
        return [], [self.target(mapping, name) for mapping in kinds for name in words[1:]]

    def target(self, mapping: Mapping, name: str) -> Target:
        """An object of this command's namespace."""
        return Target(mapping, self.namespace if mapping.namespaced else "", name)

    def list_query(self) -> list[tuple[str, str]]:
        """``labelSelector`` and ``fieldSelector``."""
        query = []
        if self.flags.get("field-selector"):
            query.append(("fieldSelector", self.flags["field-selector"]))
        if self.flags.get("selector"):
            query.append(("labelSelector", self.flags["selector"]))
        return query

    def list_path(self, mapping: Mapping) -> str:
        """The collection: of the namespace, or everywhere with ``-A``."""
        return mapping.path("" if self.flags.get("all-namespaces") else self.namespace)

    def fetch(self, target: Target, *, prefix: str = "") -> Generator[Effect, Answer, Doc]:
        """The object from the server."""
        target.doc = yield from self.client.call("GET", target.path, prefix=prefix)
        return target.doc or {}

    def listed(self, mapping: Mapping) -> Generator[Effect, Answer, list[Target]]:
        """All objects of a kind that the selectors choose, read."""
        doc = yield from self.client.call("GET", self.list_path(mapping), [*self.list_query(), ("limit", "500")])
        found = []
        for item in doc.get("items") or ():
            full = {"apiVersion": mapping.api_version, "kind": mapping.kind, **item}
            metadata = full["metadata"]
            found.append(Target(mapping, metadata.get("namespace", ""), metadata["name"], full))
        return found

    def objects(self, *, required: str = "") -> Generator[Effect, Answer, list[Target]]:
        """Everything the words, files and selectors name, read from the server. Errors are collected by the caller."""
        if self.flags.get("filename"):
            targets = yield from self.file_targets()
            for target in targets:
                yield from self.fetch(target)
            return targets
        kinds, targets = yield from self.named()
        if not kinds and not targets:
            raise Failure(required or "You must provide one or more resources by argument or filename.")
        if targets:
            found = []
            problems: list[ApiFailure] = []
            for target in targets:
                try:
                    yield from self.fetch(target)
                    found.append(target)
                except ApiFailure as error:
                    problems.append(error)
            if problems and not found:
                raise problems[0]
            for problem in problems:
                self.err(text(problem))
            return found
        found = []
        for mapping in kinds:
            found += yield from self.listed(mapping)
        return found


def finish(k: Kubectl, target: Target, doc: Doc, verb: str) -> None:
    """``pod/web created``, or the object with ``-o``."""
    if k.flags.get("output"):
        k.out(printers.structured(doc, k.flags["output"], k.flags))
    else:
        k.out(f"{target.mapping.shown}/{doc['metadata'].get('name', target.name)} {verb}{k.dry_suffix}\n")


def _json_type(value: Any) -> str:
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "number"
