"""Message catalogues: ``locale/*/LC_MESSAGES/django.po`` and the rooms' ``locale/*/rooms/*.po``, compiled to one ``.mo`` a language.

No GNU gettext is needed. A room (a page, say) keeps its sentences in a catalogue of its own; the frame's are in ``django.po``.

``python -m explainer.fragments.catalogs`` compiles what is older than its source (at set-up; a compiled catalogue is not committed).
``python -m explainer.fragments.catalogs --collect`` finds the sentences of templates and Python, writes new ones into every catalogue
with an empty translation, drops those that nobody says any more, and lists what is untranslated.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "locale"
SOURCES = ("templates", "explainer/pages", "explainer/fragments")
STRING = r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')"""
TRANSLATE = re.compile(r"\{%\s*translate\s+" + STRING)
BLOCK = re.compile(r"\{%\s*blocktranslate\b([^%]*)%\}(.*?)\{%\s*endblocktranslate\s*%\}", re.S)
PLURAL = re.compile(r"\{%\s*plural\s*%\}")
VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
CALL = re.compile(r"\b(?:_|noop)\(\s*" + STRING)


def compile_all(root: Path = LOCALE) -> list[Path]:
    """Compile every catalogue that is newer than its compiled form; return the files written."""
    written = []
    for source in sorted(root.glob("*/LC_MESSAGES/*.po")):
        target, parts = source.with_suffix(".mo"), [source, *rooms(source)]
        newest = max(part.stat().st_mtime for part in [*parts, *(part.parent for part in parts[1:])])
        if not target.exists() or target.stat().st_mtime < newest:
            whole(source).save_as_mofile(str(target))
            written.append(target)
    return written


def rooms(source: Path) -> list[Path]:
    """Return the rooms' catalogues of the same language."""
    return sorted((source.parents[1] / "rooms").glob("*.po"))


def whole(source: Path) -> polib.POFile:
    """Return a language's catalogue with those of its rooms; what is said first counts."""
    catalogue = polib.pofile(str(source))
    have = {entry.msgid for entry in catalogue if entry.translated()}
    for room in rooms(source):
        for entry in polib.pofile(str(room)):
            if entry.msgid not in have:
                have.add(entry.msgid)
                catalogue[:] = [other for other in catalogue if other.msgid != entry.msgid]
                catalogue.append(entry)
    return catalogue


def said() -> dict[str, str]:
    """Return every sentence of the product and its plural form (empty when it has none), in order of appearance."""
    found: dict[str, str] = {}
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix == ".html":
                text = path.read_text()
                for match in TRANSLATE.finditer(text):
                    found.setdefault(_unquote(match), "")
                for match in BLOCK.finditer(text):
                    one, *many = PLURAL.split(VARIABLE.sub(r"%(\1)s", match.group(2)))
                    found.setdefault(one, many[0] if many else "")
            elif path.suffix == ".py" and path.name != "catalogs.py":
                for match in CALL.finditer(path.read_text()):
                    found.setdefault(_unquote(match), "")
    return found


def _unquote(match: re.Match[str]) -> str:
    text = match.group(1) if match.group(1) is not None else match.group(2)
    return text.replace('\\"', '"').replace("\\'", "'")


def missing(source: Path) -> list[str]:
    """Return the sentences that a catalogue does not translate."""
    catalogue = whole(source)
    have = {entry.msgid for entry in catalogue if entry.msgstr or any(entry.msgstr_plural.values())}
    return [sentence for sentence in said() if sentence not in have]


def collect() -> dict[str, list[str]]:
    """Bring every catalogue up to date with what the product says; return the untranslated sentences by language."""
    sentences = said()
    out = {}
    for source in sorted(LOCALE.glob("*/LC_MESSAGES/django.po")):
        language = source.parent.parent.name
        old = {entry.msgid: entry for entry in polib.pofile(str(source))}
        elsewhere = {entry.msgid for room in rooms(source) for entry in polib.pofile(str(room))}
        catalogue = polib.POFile(wrapwidth=120)
        forms = "nplurals=1; plural=0;" if language == "ko" else "nplurals=2; plural=(n != 1);"
        catalogue.metadata = {
            "Language": language,
            "MIME-Version": "1.0",
            "Content-Type": "text/plain; charset=UTF-8",
            "Content-Transfer-Encoding": "8bit",
            "Plural-Forms": forms,
        }
        for one, many in sentences.items():
            if one in elsewhere:
                continue
            entry = old.get(one)
            if entry is None:
                entry = polib.POEntry(msgid=one, msgid_plural=many, msgstr_plural={0: ""} if many else {})
            if "%(" in one:
                entry.flags = ["python-format"]
            catalogue.append(entry)
        catalogue.save(str(source))
        out[language] = missing(source)
    return out


if __name__ == "__main__":
    if "--collect" in sys.argv:
        for language, sentences in collect().items():
            for sentence in sentences if language != "en" else ():
                print(f"{language}: {sentence!r}")
    compile_all()
