"""``kubectl get``: objects as tables (made by the server), as documents, once or watched."""

from typing import Any

from cluster.shell.commands.kubectl import printers
from cluster.shell.commands.kubectl.client import JSON, TABLE, Mapping, document, failure, unlisted
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure, text
from cluster.shell.commands.kubectl.flags import BOOL, FILES, OUTPUT, SELECTOR, TRUE, Flag
from cluster.shell.effects import Next
from cluster.shell.interpreter import Run
from cluster.shell.jsonpath import find, relaxed
from cluster.shell.tabwriter import align

NAMES = ("get",)
FLAGS = {
    **OUTPUT,
    **FILES,
    **SELECTOR,
    "all-namespaces": Flag("bool", "A", False),
    "field-selector": Flag(),
    "watch": Flag("bool", "w", False),
    "watch-only": BOOL,
    "output-watch-events": BOOL,
    "show-labels": BOOL,
    "show-kind": BOOL,
    "label-columns": Flag("array", "L", (), split=True),
    "sort-by": Flag(),
    "no-headers": BOOL,
    "ignore-not-found": BOOL,
    "chunk-size": Flag("int", default=500),
    "raw": Flag(),
    "server-print": TRUE,
    "subresource": Flag(),
}

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """Status 1 if anything that was named could not be had."""
    if k.flags["raw"]:
        return (yield from _raw(k))
    output = k.flags["output"]
    form = output.partition("=")[0]
    if form and form not in printers.FORMATS.split(","):
        raise Failure(
            f'unable to match a printer suitable for the output format "{form}", allowed formats are: {printers.FORMATS}'
        )
    if not k.args and not k.flags["filename"]:
        k.err(
            'You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.\n\n'
        )
        raise Failure("error: Required resource not specified.\nSee 'kubectl get -h' for help and examples", plain=True)
    if k.flags["filename"]:
        kinds: list[Mapping] = []
        targets = yield from k.file_targets()
    else:
        kinds, targets = yield from k.named()
    if targets and k.flags["selector"]:
        raise Failure("selectors and the all flag cannot be used when passing resource/name arguments")
    if targets and k.flags["all-namespaces"]:
        raise Failure("a resource cannot be retrieved by name across all namespaces")
    if k.flags["watch"] or k.flags["watch-only"]:
        return (yield from _watch(k, kinds, targets))
    if form and form not in ("wide",):
        return (yield from _documents(k, kinds, targets, output))
    return (yield from _tables(k, kinds, targets))


def _raw(k: Kubectl) -> Run:
    path, _, query = k.flags["raw"].partition("?")
    pairs = [(key, value) for key, _, value in (each.partition("=") for each in query.split("&") if each)]
    answer = yield from k.client.send("GET", path, pairs)
    found = document(answer)
    if answer.code >= 400:
        raise failure(answer, found, "GET", path)
    k.out(answer.body.decode("utf-8", "replace") if answer.doc is None else printers.go_json(found))
    return 0


def _documents(k: Kubectl, kinds: list[Mapping], targets: list[Target], output: str) -> Run:
    docs: list[Doc] = []
    status = 0
    problems: list[ApiFailure] = []
    whole: Doc | None = None
    for target in targets:
        try:
            docs.append((yield from k.client.call("GET", _object_path(k, target))))
        except ApiFailure as error:
            if k.flags["ignore-not-found"] and error.reason == "NotFound":
                continue
            problems.append(error)
    for mapping in kinds:
        doc = yield from k.client.call("GET", k.list_path(mapping), [*k.list_query(), *_chunk(k)])
        items = [{"apiVersion": mapping.api_version, "kind": mapping.kind, **item} for item in doc.get("items") or ()]
        docs += items
    if problems and not docs and len(targets) == 1:
        raise problems[0]
    if k.flags["sort-by"]:
        docs = _sorted(docs, k.flags["sort-by"], lambda each: each)
    single = len(targets) == 1 and not kinds and len(docs) == 1
    whole = docs[0] if single else printers.as_list(docs)
    if docs or kinds or not k.flags["ignore-not-found"]:
        k.out(printers.structured(whole, output, k.flags))
    for problem in problems:
        k.err(text(problem))
        status = 1
    return status


def _chunk(k: Kubectl) -> list[tuple[str, str]]:
    return [("limit", str(k.flags["chunk-size"]))] if k.flags["chunk-size"] else []


def _object_path(k: Kubectl, target: Target) -> str:
    return target.mapping.path(target.namespace, target.name, k.flags["subresource"])


def _table_query(k: Kubectl) -> list[tuple[str, str]]:
    return [("includeObject", "Object")] if k.flags["sort-by"] else []


def _tables(k: Kubectl, kinds: list[Mapping], targets: list[Target]) -> Run:
    status = 0
    found: list[tuple[Mapping, Doc]] = []
    problems: list[ApiFailure] = []
    for target in targets:
        try:
            table = yield from k.client.call("GET", _object_path(k, target), _table_query(k), accept=TABLE)
        except ApiFailure as error:
            if k.flags["ignore-not-found"] and error.reason == "NotFound":
                continue
            problems.append(error)
            continue
        if found and found[-1][0] == target.mapping:
            previous = found[-1][1]
            found[-1] = (target.mapping, {**previous, "rows": [*previous["rows"], *table["rows"]]})
        else:
            found.append((target.mapping, table))
    for mapping in kinds:
        try:
            query = [*k.list_query(), *_table_query(k), *_chunk(k)]
            table = yield from k.client.call("GET", k.list_path(mapping), query, accept=TABLE)
        except ApiFailure as error:
            problems.append(unlisted(error, mapping, bool(k.list_query())))
            continue
        found.append((mapping, table))
    shown = [each for each in found if each[1].get("rows")]
    several = len({mapping for mapping, _ in shown}) > 1 or len(kinds) > 1 or "all" in k.args[:1]
    several = several or len({target.mapping for target in targets}) > 1
    blocks = [_block(k, mapping, table, prefix=several or k.flags["show-kind"]) for mapping, table in shown]
    k.out("\n".join(blocks))
    if not shown and not problems and not targets:
        _nothing(k, kinds)
    for problem in problems:
        k.err(text(problem))
        status = 1
    return status


def _nothing(k: Kubectl, kinds: list[Mapping]) -> None:
    if k.flags["ignore-not-found"]:
        return
    if k.flags["all-namespaces"] or not any(mapping.namespaced for mapping in kinds):
        k.err("No resources found\n")
    else:
        k.err(f"No resources found in {k.namespace} namespace.\n")


def _layout(k: Kubectl, mapping: Mapping) -> dict[str, Any]:
    return {
        "namespace": bool(k.flags["all-namespaces"]) and mapping.namespaced,
        "labels": list(k.flags["label-columns"]),
        "all_labels": bool(k.flags["show-labels"]),
    }


def _block(k: Kubectl, mapping: Mapping, table: Doc, *, prefix: bool) -> str:
    columns = printers.columns_of(table, wide=k.flags["output"] == "wide")
    if k.flags["sort-by"]:
        rows = _sorted(table["rows"], k.flags["sort-by"], lambda row: row.get("object") or {})
        table = {**table, "rows": rows}
    layout = _layout(k, mapping)
    lines = [] if k.flags["no-headers"] else [printers.table_header(table, columns, **layout)]
    lines += printers.table_rows(table, columns, prefix=mapping.shown if prefix else "", **layout)
    return align("".join(f"{line}\n" for line in lines))


def _sorted(items: list[Doc], path: str, of: Any) -> list[Doc]:
    """By the value at ``path``: numbers as numbers, quantities and times as texts; what lacks it comes first."""
    where = relaxed(path)

    def key(item: Doc) -> tuple[int, float, str]:
        values = find(of(item), where)
        if not values or values[0] is None:
            return (0, 0.0, "")
        value = values[0]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (1, float(value), "")
        return (2, 0.0, str(value))

    if items and not any(find(of(item), where) for item in items):
        raise Failure(f'couldn\'t find any field with path "{{{where}}}" in the list of objects')
    return sorted(items, key=key)


def _watch(k: Kubectl, kinds: list[Mapping], targets: list[Target]) -> Run:
    """The list, then every change as a row (or a document)."""
    mappings = kinds or [target.mapping for target in targets]
    if len(mappings) != 1:
        raise Failure("you may only specify a single resource type")
    mapping = mappings[0]
    form = k.flags["output"].partition("=")[0]
    tables = form in ("", "wide")
    accept = TABLE if tables else JSON
    query = k.list_query()
    if targets:
        path = mapping.path(targets[0].namespace)
        query = [*query, ("fieldSelector", f"metadata.name={targets[0].name}")]
        yield from k.client.call("GET", targets[0].path, accept=accept)
    else:
        path = k.list_path(mapping)
    doc = yield from k.client.call("GET", path, [*query, *_chunk(k)], accept=accept)
    version = (doc.get("metadata") or {}).get("resourceVersion", "")
    widths: list[int] = []
    columns: list[int] = []
    headed = True
    if tables:
        columns = printers.columns_of(doc, wide=form == "wide")
        headed = bool(k.flags["no-headers"])
        if not k.flags["watch-only"]:
            first = "ADDED\t" if k.flags["output-watch-events"] else ""
            _show_rows(k, mapping, doc, columns, widths, header=None if headed else doc, lead=first)
            headed = headed or bool(doc.get("rows"))
    elif not k.flags["watch-only"]:
        for item in doc.get("items") or ():
            full = {"apiVersion": mapping.api_version, "kind": mapping.kind, **item}
            k.out(_one(k, full))
    watching = [*query, ("resourceVersion", version), ("watch", "true")]
    answer = yield from k.client.send("GET", path, watching, accept=accept)
    if answer.code >= 400:
        raise failure(answer, document(answer), "GET", path)
    while True:
        piece = yield Next(answer.id)
        if piece.end:
            return 0
        for event in _events(piece):
            if event["type"] == "ERROR":
                raise ApiFailure(event["object"], event["object"].get("code", 500))
            if event["type"] == "BOOKMARK":
                continue
            lead = f"{event['type']}\t" if k.flags["output-watch-events"] else ""
            if tables:
                table = event["object"]
                if not columns and table.get("columnDefinitions"):
                    columns = printers.columns_of(table, wide=form == "wide")
                _show_rows(k, mapping, table, columns, widths, header=None if headed else doc, lead=lead)
                headed = True
            else:
                k.out(_one(k, event["object"]))


def _one(k: Kubectl, doc: Doc) -> str:
    text_of = printers.structured(doc, k.flags["output"], k.flags)
    return f"---\n{text_of}" if k.flags["output"] == "yaml" else text_of


def _events(piece: Any) -> list[Doc]:
    if piece.doc is not None:
        return [piece.doc]
    import orjson

    return [orjson.loads(line) for line in piece.body.splitlines() if line.strip()]


def _show_rows(
    k: Kubectl,
    mapping: Mapping,
    table: Doc,
    columns: list[int],
    widths: list[int],
    *,
    header: Doc | None,
    lead: str = "",
) -> None:
    """Rows of a watch: columns keep their widths. ``header``: the table whose column names are to be shown first."""
    layout = _layout(k, mapping)
    lines = printers.table_rows(table, columns, prefix=mapping.shown if k.flags["show-kind"] else "", **layout)
    lines = [lead + line for line in lines]
    if header is not None and lines:
        lines.insert(0, ("EVENT\t" if lead else "") + printers.table_header(header, columns, **layout))
    for line in lines:
        for place, cell in enumerate(line.split("\t")):
            if place == len(widths):
                widths.append(6)
            widths[place] = max(widths[place], len(cell) + 3)
    for line in lines:
        cells = line.split("\t")
        k.out("".join(f"{cell:<{widths[place]}}" for place, cell in enumerate(cells[:-1])) + cells[-1] + "\n")
