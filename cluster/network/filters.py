"""Programs that read lines and print lines: what stands after a pipe, or is fed by ``kubectl exec -i``.

In: a name, its arguments and the lines it reads → out: the lines it prints and its status.

Simplified here: the options named below only; ``tr`` knows ranges and single letters, no classes; ``base64`` takes text.
"""

import base64
import binascii
import re

NAMES = ("head", "tail", "grep", "wc", "sort", "uniq", "cut", "tr", "cat", "tee", "base64")
TAKES = {"grep": 1, "tr": 2}
"""Arguments that are no files."""
WITH_VALUE = {"head": "nc", "tail": "nc", "cut": "dfcb", "grep": "emABC", "sort": "kt", "base64": "w"}
"""Options whose value is the next word."""


SHELLS = ("sh", "bash", "ash", "dash")


def reads_input(words: list[str]) -> bool:
    """Whether the command reads its standard input: a bare shell, or a filter without a file."""
    name, args = words[0].rsplit("/", 1)[-1], words[1:]
    if name in SHELLS:
        return all(arg.startswith("-") and not arg.endswith("c") for arg in args)
    return reads(name, args)


def known(name: str) -> bool:
    """Whether it is one of them."""
    return name in NAMES


def reads(name: str, args: list[str]) -> bool:
    """Whether it reads its standard input: no file is named."""
    if name not in NAMES or ("-f" in args and name == "tail"):
        return False
    files = [arg for at, arg in enumerate(args) if arg == "-" or not (arg.startswith("-") or _valued(name, args[:at]))]
    return name == "tee" or len([one for one in files if one != "-"]) <= TAKES.get(name, 0)


def _valued(name: str, before: list[str]) -> bool:
    return bool(before) and len(before[-1]) == 2 and before[-1][0] == "-" and before[-1][1] in WITH_VALUE.get(name, "")


def _translation(plain: list[str], delete: bool) -> dict[int, str | None]:
    def spread(text: str) -> str:
        text = text.replace("\\n", "\n")
        return re.sub(r"(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), text)

    if not plain:
        return {}
    first = spread(plain[0])
    if delete or len(plain) < 2:
        return dict.fromkeys(map(ord, first)) if delete else {}
    second = spread(plain[1])
    return {ord(char): (second[at] if at < len(second) else second[-1:]) for at, char in enumerate(first)}


def _base64(lines: list[str], decode: bool) -> tuple[list[str], int]:
    if decode:
        try:
            return base64.b64decode("".join(lines), validate=True).decode("utf-8", "replace").splitlines(), 0
        except binascii.Error:
            return ["base64: invalid input"], 1
    text = base64.b64encode("".join(f"{line}\n" for line in lines).encode()).decode()
    return [text[at : at + 76] for at in range(0, len(text), 76)], 0


def _number(args: list[str], default: int) -> int:
    text = "".join(args)
    found = re.search(r"-n?\s*(\d+)", text)
    return int(found[1]) if found else default


def run(name: str, args: list[str], lines: list[str]) -> tuple[list[str], int]:
    flags = "".join(a[1:] for a in args if a.startswith("-"))
    plain = [a for a in args if not a.startswith("-")]
    match name:
        case "head":
            return lines[: _number(args, 10)], 0
        case "tail":
            return lines[-_number(args, 10) :], 0
        case "grep":
            if not plain:
                return [], 2
            try:
                pattern = re.compile(re.escape(plain[0]) if "F" in flags else plain[0], re.I if "i" in flags else 0)
            except re.error:
                pattern = re.compile(re.escape(plain[0]))
            hits = [line for line in lines if bool(pattern.search(line)) != ("v" in flags)]
            code = 0 if hits else 1
            if "o" in flags:
                return [found[0] for line in hits for found in pattern.finditer(line)], code
            return ([str(len(hits))] if "c" in flags else [] if "q" in flags else hits), code
        case "wc":
            counts = {"l": len(lines), "w": sum(len(x.split()) for x in lines), "c": sum(len(x) + 1 for x in lines)}
            wanted = [f for f in "lwc" if f in flags] or ["l", "w", "c"]
            return [" ".join(str(counts[f]) for f in wanted)], 0
        case "sort":
            key = (lambda line: float(re.match(r"\s*(-?\d*\.?\d*)", line)[1] or 0)) if "n" in flags else None  # type: ignore[index]
            found = sorted(lines, key=key, reverse="r" in flags)
            return list(dict.fromkeys(found)) if "u" in flags else found, 0
        case "uniq":
            groups: list[tuple[str, int]] = []
            for line in lines:
                if groups and groups[-1][0] == line:
                    groups[-1] = (line, groups[-1][1] + 1)
                else:
                    groups.append((line, 1))
            return [f"{count:>7} {line}" if "c" in flags else line for line, count in groups], 0
        case "cut":
            delimiter = re.search(r"-d\s*(.)", " ".join(args))
            fields = re.search(r"-f\s*(\d+)", " ".join(args))
            if fields is None:
                return [], 1
            by, at = delimiter[1] if delimiter else "\t", int(fields[1]) - 1
            return [(line.split(by) + [""] * (at + 1))[at] if by in line else line for line in lines], 0
        case "tr":
            table = _translation(plain, "d" in flags)
            return [line.translate(table) for line in lines], 0
        case "base64":
            return _base64(lines, "d" in flags)
        case _:
            return lines, 0
