"""Bytes on the wire to documents and back.

``decode_body`` → ``Body(doc, warnings, gvk)``: parsed (JSON or YAML), checked to be of the expected kind, decoded by the
kind's schema. Errors: ``ApiError`` 400 with the words of the real server, 415 for a format it does not read.

Simplified here: protobuf bodies are refused with 415 (no client of this project needs them); YAML bodies are read as
YAML 1.1 by PyYAML, multi-document bodies take the first document.

Upstream: apiserver/pkg/endpoints/handlers/rest.go (transformDecodeError), apimachinery/pkg/runtime/serializer.
"""

from typing import TYPE_CHECKING, Any

import orjson
import yaml
from msgspec import Struct

from cluster.api import gojson, limits, schema, status

if TYPE_CHECKING:
    from cluster.api.scheme import Scheme

Doc = dict[str, Any]
GVK = tuple[str, str, str]

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = (JSON, YAML, PROTOBUF)
ACCEPTED_CUSTOM = (JSON, YAML)
SCHEME_NAME = "pkg/api/legacyscheme/scheme.go:30"

_INTERNAL = {"": "core", "rbac.authorization.k8s.io": "rbac", "networking.k8s.io": "networking"}


class Body(Struct, frozen=True):
    """A decoded request body. ``warnings`` are texts for Warning headers; ``gvk`` what the client said it is."""

    doc: Doc
    warnings: tuple[str, ...]
    gvk: GVK


_ONLY_TEXT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
YAML_RESOLVERS = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _ONLY_TEXT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
"""What a plain scalar may mean to Kubernetes' YAML library: a timestamp and a lone ``=`` are texts there (goyaml.v2 resolve.go)."""


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML as Kubernetes reads it."""


_Loader.yaml_implicit_resolvers = YAML_RESOLVERS


def load_yaml(data: bytes | str) -> Any:
    """The first document of a YAML text, with string keys. ``ValueError`` with Go-like words when it is malformed."""
    try:
        if problem := limits.yaml_problem(data, _Loader):
            raise ValueError(f"error converting YAML to JSON: yaml: {problem}")
        loaded = next(iter(yaml.load_all(data, Loader=_Loader)), None)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"error converting YAML to JSON: yaml: line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"error converting YAML to JSON: yaml: {error}") from None
    return _string_keys(loaded)


def _string_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(k): _string_keys(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_string_keys(v) for v in value]
    return value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key) if key is not None else "null"


def media_type(header: str) -> str:
    """``application/json; charset=utf-8`` → ``application/json``."""
    return header.partition(";")[0].strip().lower()


def load(data: bytes, media: str) -> Any:
    """Parses only. ``ValueError`` with the real decoder's words."""
    if media_type(media) in (YAML, "application/apply-patch+yaml"):
        return load_yaml(data)
    return gojson.loads(data)


def summary(data: bytes) -> str:
    """What the server quotes of a body that it does not recognise."""
    if not data:
        return "<empty>"
    shown = data[:30].decode("utf-8", "replace") if data[:1] == b"{" else data[:30].hex()
    return f"{shown} ..." if len(data) > 30 else shown


def decode_body(
    data: bytes, media: str, scheme: "Scheme", expected: GVK, field_validation: str = "", custom: bool = False
) -> Body:
    """The body of a create or update. ``field_validation`` is the query option; "" means Warn."""
    accepted = ACCEPTED_CUSTOM if custom else ACCEPTED
    kind = media_type(media) or JSON
    if kind not in (JSON, YAML):
        raise status.unsupported_media_type(accepted)
    try:
        doc = load(data, kind)
    except ValueError as error:
        why = str(error) if kind == YAML else f"couldn't get version/kind; json parse error: {error}"
        raise _unrecognised(expected, why, data) from None
    if not isinstance(doc, dict):
        shape = (
            'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
        if doc is not None:
            why = f"json: cannot unmarshal {schema.json_kind(doc)} into Go value of type {shape}"
            raise _unrecognised(expected, f"couldn't get version/kind; json parse error: {why}", data)
        doc = {}
    repeated = gojson.duplicates(data) if field_validation != "Ignore" and kind == JSON else []
    return decode_doc(doc, scheme, expected, field_validation, repeated)


def _unrecognised(expected: GVK, why: str, data: bytes) -> status.ApiError:
    return status.bad_request(
        f"the object provided is unrecognized (must be of type {expected[2]}): {why} ({summary(data)})"
    )


def decode_doc(
    doc: Doc, scheme: "Scheme", expected: GVK, field_validation: str = "", repeated: list[str] | None = None,
    known: Doc | None = None,
) -> Body:  # fmt: skip
    """The same for a body that is a document already (clients inside the world).

    ``known``: a document that was decoded before; what is the very same object in both needs no look.
    """
    group, version, kind = expected
    said_version, said_kind = doc.get("apiVersion"), doc.get("kind")
    check_kind(doc, scheme, expected)
    found = scheme.schema(group, version, kind)
    if found is None:
        raise LookupError(f"no schema for {expected}")
    try:
        decoded = found.decode(doc, known)
    except schema.DecodeError as error:
        raise cannot_handle(expected, kind, str(error)) from None
    out = decoded.doc
    if not said_kind or not said_version:
        out = {"kind": kind, "apiVersion": _join(expected), **out}
        out["kind"], out["apiVersion"] = kind, _join(expected)
    problems = (*(repeated or ()), *decoded.problems)
    if problems and field_validation != "Ignore":
        if field_validation == "Strict":
            raise cannot_handle(expected, kind, f"strict decoding error: {', '.join(problems)}")
        return Body(out, problems, expected)
    return Body(out, (), expected)


def check_kind(doc: Doc, scheme: "Scheme", expected: GVK) -> None:
    """ApiError 400 when ``doc`` says that it is something else."""
    said_version, said_kind = doc.get("apiVersion"), doc.get("kind")
    if (said_kind is not None and said_kind != expected[2]) or (
        said_version is not None and said_version != _join(expected)
    ):
        said = _said(said_version, said_kind, expected)
        if said != expected:
            _refuse(scheme, said, expected)


def _join(gvk: GVK) -> str:
    return f"{gvk[0]}/{gvk[1]}" if gvk[0] else gvk[1]


def _said(api_version: Any, kind: Any, expected: GVK) -> GVK:
    group, version = expected[0], expected[1]
    if isinstance(api_version, str) and api_version:
        group, _, version = api_version.rpartition("/")
    return group, version, kind if isinstance(kind, str) and kind else expected[2]


def _refuse(scheme: "Scheme", said: GVK, expected: GVK) -> None:
    if said[2] == "DeleteOptions" and expected[2] == "DeleteOptions":
        return
    if scheme.schema(*said) is None:
        why = f'no kind "{said[2]}" is registered for version "{_join(said)}" in scheme "{SCHEME_NAME}"'
        raise cannot_handle(said, expected[2], why)
    if said[2] == expected[2] and said[0] == expected[0]:
        raise status.bad_request(
            f"the API version in the data ({_join(said)}) does not match the expected API version ({_join(expected)})"
        )
    internal = _INTERNAL.get(expected[0], expected[0].partition(".")[0])
    why = f"converting ({said[1]}.{said[2]}) to ({internal}.{expected[2]}): unknown conversion"
    raise cannot_handle(said, expected[2], why)


def cannot_handle(said: GVK, kind: str, why: str) -> status.ApiError:
    """400: a body that is recognised but does not decode."""
    return status.bad_request(f'{said[2]} in version "{said[1]}" cannot be handled as a {kind}: {why}')


def encode(doc: Any, pretty: bool = False) -> bytes:
    """JSON as Go writes it: ``<``, ``>`` and ``&`` escaped; compact with a newline, or indented by two spaces."""
    data = orjson.dumps(doc, option=orjson.OPT_INDENT_2 if pretty else None)
    if b"<" in data or b">" in data or b"&" in data:
        data = data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    return data if pretty else data + b"\n"


def encode_yaml(doc: Any) -> bytes:
    """YAML with sorted keys, as sigs.k8s.io/yaml writes it."""
    return yaml.dump(doc, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True, width=1 << 30,
                     ).encode()  # fmt: skip


class _Dumper(yaml.SafeDumper):
    """Block texts for multi-line strings, lists not indented."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never an anchor: documents share parts."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    tag = "tag:yaml.org,2002:str"
    if "\n" in text:
        return dumper.represent_scalar(tag, text, style="|")
    if text and _ambiguous(text):
        return dumper.represent_scalar(tag, text, style='"')
    return dumper.represent_scalar(tag, text, style='"' if text == "" else None)


def _ambiguous(text: str) -> bool:
    """Whether a plain text would be read as something else, so that Go quotes it with double quotes."""
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers if text != "=" else YAML_RESOLVERS
    return any(tag != "tag:yaml.org,2002:str" and pattern.match(text) for tag, pattern in resolvers.get(text[0], ()))


_Dumper.add_representer(str, _text)
