"""``make bench-browser``: starts the product on free ports with a folder of its own, opens it in Chromium without a GPU and measures.

``python -m bench.browser [--quick] [figure …]``: a table, then JSON. A figure is a file of this folder named ``f<n>_<name>.py``. Exit 1 when a
bar is missed.
"""

import importlib
import json
import pkgutil
import sys
import tempfile
import traceback
from pathlib import Path

from playwright.sync_api import sync_playwright

import bench.browser
from bench.browser.room import Room, Row
from tests.browser.conftest import ARGUMENTS
from tests.browser_setup import executable
from tests.product import Product


def figures(asked: list[str]) -> list[str]:
    """The figures' modules, or those of them that are asked for by name."""
    names = sorted(
        one.name for one in pkgutil.iter_modules(bench.browser.__path__) if one.name[0] == "f" and "_" in one.name
    )
    return [name for name in names if not asked or name.partition("_")[2] in asked or name in asked]


def measure(names: list[str], quick: bool) -> list[Row]:
    """All rows; a figure that can't be taken is told as a missed one."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="clearplane-browser-") as place:
        folder = Path(place)
        product = Product(folder / "data", DJANGO_SETTINGS_MODULE="explainer.settings").start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
                room = Room(product, browser, folder, quick)
                for name in names:
                    try:
                        found = importlib.import_module(f"bench.browser.{name}").measure(room)
                    except Exception:
                        traceback.print_exc()
                        found = [Row(f"{name}: could not be measured", float("inf"), "", 0)]
                    rows += found
                    for row in found:
                        print(f"  {row.what} … {row.value:.3g} {row.unit}", file=sys.stderr, flush=True)
                browser.close()
        finally:
            product.stop()
    return rows


def main(arguments: list[str]) -> int:
    quick = "--quick" in arguments
    rows = measure(figures([one for one in arguments if not one.startswith("-")]), quick)
    wide = max(len(row.what) for row in rows)
    for row in rows:
        bar = "" if row.bar is None else f"{'≥' if row.least else '≤'} {row.bar:g}"
        print(
            f"{row.what:<{wide}}  {row.value:>9.3g} {row.unit:<3} {bar:>7}  {'' if row.good else 'MISSED'}  {row.note}"
        )
    print(json.dumps([{**row._asdict(), "good": row.good} for row in rows], ensure_ascii=False))
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
