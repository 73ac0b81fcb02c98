"""``make bench``, or ``python -m bench [name …]``: runs all benchmarks, or those named; a table, then JSON. Exit 1 when a bar is missed."""

import importlib
import json
import operator
import pkgutil
import sys
import traceback
from pathlib import Path
from typing import Any

import bench

Value = float | str
HOLDS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


def found() -> dict[str, Any]:
    """Name → module, of every file of this folder that can ``run``."""
    folder = Path(bench.__file__).parent
    names = sorted(one.name for one in pkgutil.iter_modules([str(folder)]) if not one.ispkg and one.name[0] != "_")
    able = [name for name in names if "\ndef run(" in (folder / f"{name}.py").read_text()]
    return {name: importlib.import_module(f"bench.{name}") for name in able}


def good(value: Value, bar: str) -> bool:
    """Whether ``value`` keeps the bar (``<= 4``); without a bar everything is good."""
    if not bar:
        return True
    sign, _, limit = bar.partition(" ")
    return bool(HOLDS[sign](value, limit if sign == "==" else float(limit)))


def measure(name: str, module: Any) -> list[dict[str, Any]]:
    """The rows of one benchmark; one that can't be run is told as a missed one."""
    bars: dict[str, str] = getattr(module, "BARS", {})
    try:
        values: dict[str, Value] = module.run()
    except Exception as error:
        traceback.print_exc()
        values, bars = {f"{name} could not be run": repr(error)}, {f"{name} could not be run": "== "}
    rows = [
        {
            "benchmark": name,
            "what": what,
            "value": value,
            "bar": bars.get(what, ""),
            "ok": good(value, bars.get(what, "")),
        }
        for what, value in values.items()
    ]
    for row in rows:
        print(f"  {row['what']} … {row['value']}", file=sys.stderr, flush=True)
    return rows


def main(asked: list[str]) -> int:
    able = found()
    unknown = [name for name in asked if name not in able]
    if unknown:
        print(f"No benchmark named {', '.join(unknown)}. There are: {', '.join(able)}.", file=sys.stderr)
        return 2
    rows = [row for name, module in able.items() if not asked or name in asked for row in measure(name, module)]
    wide = max(len(row["what"]) for row in rows)
    for row in rows:
        print(f"{row['what']:<{wide}}  {row['value']!s:>14}  {row['bar']:>9}  {'' if row['ok'] else 'MISSED'}")
    print(json.dumps(rows, ensure_ascii=False))
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
