"""JSON documents as YAML and indented JSON, exactly as kubectl prints them: keys sorted, lists not indented, Go's quoting.

Upstream: sigs.k8s.io/yaml (goyaml.v2) and encoding/json.
"""

import json
import re
from typing import Any

_WORDS = frozenset(
    [
        "y",
        "Y",
        "yes",
        "Yes",
        "YES",
        "n",
        "N",
        "no",
        "No",
        "NO",
        "on",
        "On",
        "ON",
        "off",
        "Off",
        "OFF",
        "true",
        "True",
        "TRUE",
        "false",
        "False",
        "FALSE",
        "null",
        "Null",
        "NULL",
        "~",
        ".inf",
        ".Inf",
        ".INF",
        "+.inf",
        "+.Inf",
        "+.INF",
        "-.inf",
        "-.Inf",
        "-.INF",
        ".nan",
        ".NaN",
        ".NAN",
        "<<",
    ]
)
_NUMBER = re.compile(
    r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[0-9][0-9_]*|(?:[0-9][0-9_]*)?\.[0-9_]+(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9]+)?)"
)
_TIME = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:[Tt ]\d{1,2}:\d{1,2}:\d{1,2}.*)?")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_SPECIAL = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML can't show as it is (and what would break a line)."""
_INDICATORS = "#,[]{}&*!|>'\"%@`"


def _resolves(text: str) -> bool:
    """Whether a YAML reader would take the plain text for something else than a string."""
    if text in _WORDS or _TIME.fullmatch(text) or _BASE60.fullmatch(text):
        return True
    return bool(_NUMBER.fullmatch(text)) and any(char.isdigit() for char in text)


def _plain_allowed(text: str) -> bool:
    if text[0] in _INDICATORS or text[0] in " \t" or text[-1] in " \t" or text in ("---", "..."):
        return False
    if text[0] in "-?:" and (len(text) == 1 or text[1] == " "):
        return False
    return ": " not in text and " #" not in text and not text.endswith(":") and "\t" not in text


def _quoted(text: str) -> str:
    """In double quotes, with JSON's escapes and YAML's for what JSON leaves alone."""

    def escape(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

    return _SPECIAL.sub(escape, json.dumps(text, ensure_ascii=False))


def scalar(text: str) -> str:
    """A string on one line."""
    if not text:
        return '""'
    if _SPECIAL.search(text) or _resolves(text):
        return _quoted(text)
    if _plain_allowed(text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _block(text: str, indent: str) -> str:
    """A string of several lines, as a literal block."""
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    mark = "|-" if ends == 0 else "|" if ends == 1 and body else "|+"
    if text[:1] in (" ", "\n"):
        mark = f"|2{mark[1:]}"
    lines = (text if ends > 1 else body + "\n").split("\n")[:-1] if ends else body.split("\n")
    return mark + "\n" + "".join(f"{indent}{line}\n" if line else "\n" for line in lines)


def _value(value: Any, indent: str) -> str:
    """What stands after ``key:``, with its line end."""
    if isinstance(value, dict):
        return "\n" + _mapping(value, indent + "  ") if value else " {}\n"
    if isinstance(value, list | tuple):
        return "\n" + _sequence(value, indent) if value else " []\n"
    return " " + _scalar(value, indent + "  ")


def _scalar(value: Any, indent: str) -> str:
    if value is None:
        return "null\n"
    if isinstance(value, bool):
        return "true\n" if value else "false\n"
    if isinstance(value, str):
        if "\n" in value and not _SPECIAL.search(value.replace("\n", "").replace("\t", "")):
            return _block(value, indent)
        return scalar(value) + "\n"
    if isinstance(value, float) and value.is_integer():
        return f"{int(value)}\n"
    return f"{value}\n"


def _mapping(value: dict[str, Any], indent: str) -> str:
    return "".join(f"{indent}{scalar(key)}:{_value(value[key], indent)}" for key in sorted(value))


def _sequence(value: Any, indent: str) -> str:
    found = []
    for each in value:
        if isinstance(each, dict) and each:
            found.append(f"{indent}- {_mapping(each, indent + '  ')[len(indent) + 2 :]}")
        elif isinstance(each, list | tuple) and each:
            found.append(f"{indent}- {_sequence(each, indent + '  ')[len(indent) + 2 :]}")
        elif isinstance(each, dict):
            found.append(f"{indent}- {{}}\n")
        elif isinstance(each, list | tuple):
            found.append(f"{indent}- []\n")
        else:
            found.append(f"{indent}- {_scalar(each, indent + '  ')}")
    return "".join(found)


def dump(doc: Any) -> str:
    """``doc`` as YAML."""
    if isinstance(doc, dict) and doc:
        return _mapping(doc, "")
    if isinstance(doc, list) and doc:
        return _sequence(doc, "")
    return "{}\n" if isinstance(doc, dict) else "[]\n" if isinstance(doc, list) else _scalar(doc, "")


def go_json(doc: Any, indent: int | None = None) -> str:
    """``doc`` as Go's encoding/json writes it: keys sorted, ``< > &`` escaped."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(doc, sort_keys=True, ensure_ascii=False, indent=indent, separators=separators)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
