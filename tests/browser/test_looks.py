"""The key figures look as they did: shapes, map, ring, logs and tape by their pixels, what has letters by its geometry.

A figure is copied into a box of fixed size without its text, because every machine has other fonts, and as the server drew it, so that no clock
moves a hand. Pictures are compared in cells of 4×4 pixels: another way of smoothing lines is not a difference, a line that moved is. Text
is compared as structure: which marks, in which order, where on the figure's own grid. ``pytest tests/browser/test_looks.py --golden`` takes the
references anew: look at them first.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.screenshots import pixels

Open = Callable[..., Page]
LOOKS = Path(__file__).parent / "looks"
CELL = 4
SEEN = 20
"""Shades of 256 that a cell may differ by unseen."""
FEW = 0.004
"""Share of cells that may differ."""
FIGURES = {
    "shapes": ("/style/", "", 480),
    "map": ("/clusters/demo/", "svg[data-map]", 640),
    "map-screen": ("/clusters/demo/?screen", "svg[data-map]", 640),
    "ring": ("/clusters/demo/etcd/", "svg.ring", 320),
    "logs": ("/clusters/demo/etcd/", "svg.log-grid", 640),
    "tape": ("/style/", "svg.tape-sample", 480),
}
COPY = """([selector, width]) => {
  const space = "http://www.w3.org/2000/svg";
  let figure;
  if (selector) figure = document.querySelector(selector).cloneNode(true);
  else {
    figure = document.createElementNS(space, "svg");
    const symbols = [...document.querySelectorAll("symbol")].filter((one) => !/^mark-/.test(one.id));
    figure.setAttribute("viewBox", `0 0 240 ${Math.ceil(symbols.length / 10) * 24}`);
    figure.style.color = "var(--ink)";
    symbols.forEach((one, i) => {
      const use = document.createElementNS(space, "use");
      for (const [name, value] of Object.entries({ href: `#${one.id}`, x: (i % 10) * 24 + 4, y: Math.floor(i / 10) * 24 + 4, width: 16, height: 16 })) use.setAttribute(name, value);
      figure.append(use);
    });
  }
  for (const text of figure.querySelectorAll("text, title, desc, .flights > *, .timer")) text.remove();
  const box = figure.viewBox.baseVal;
  const ratio = box && box.width ? box.height / box.width : 0.5;
  figure.removeAttribute("style");
  for (const [name, value] of Object.entries({ position: "fixed", top: 0, left: 0, zIndex: 99, background: "var(--panel)", width: `${width}px`, height: `${Math.round(width * ratio)}px`, color: "var(--ink)", minHeight: 0, aspectRatio: "auto" })) figure.style[name] = value;
  figure.setAttribute("data-copy", "");
  document.body.append(figure);
}"""
FACTS = """(selector) => [...document.querySelectorAll(selector)].map((el) => {
  const one = (name) => el.getAttribute(name) ?? "";
  const use = el.querySelector("use");
  return [el.tagName.toLowerCase(), [...el.classList].sort().join("."), use?.getAttribute("href") ?? "", one("x") || one("transform"), one("width")].join(" ").trim();
})"""
STRUCTURE = {
    "trace-stages": ("/clusters/demo/requests/4060/?step=10", "[data-stages] .stage, [data-stages] .bar rect"),
    "map-things": ("/clusters/demo/", "svg[data-map] .thing, svg[data-map] a.pod"),
    "title-block": ("/clusters/demo/", ".title-block, .title-block > div, .title-block dt, .title-block dd"),
}


def cells(png: bytes) -> list[list[int]]:
    """Mean shade of every cell, 0 to 255."""
    width, rows = pixels(png)
    out = []
    for top in range(0, len(rows) - CELL + 1, CELL):
        line = []
        for left in range(0, width - CELL + 1, CELL):
            block = (sum(row[left * 3 : (left + CELL) * 3]) for row in rows[top : top + CELL])
            line.append(sum(block) // (CELL * CELL * 3))
        out.append(line)
    return out


def differing(one: list[list[int]], other: list[list[int]]) -> float:
    """The share of cells that differ to the eye; 1 when the sizes do."""
    if (len(one), len(one[0])) != (len(other), len(other[0])):
        return 1.0
    pairs = [(a, b) for row, also in zip(one, other, strict=True) for a, b in zip(row, also, strict=True)]
    return sum(abs(a - b) > SEEN for a, b in pairs) / len(pairs)


def as_rgb(cells_: list[list[int]]) -> bytes:
    """Cells as a small grey picture, one pixel each."""
    import struct
    import zlib

    body = b"".join(b"\0" + bytes(v for shade in row for v in (shade,) * 3) for row in cells_)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", len(cells_[0]), len(cells_), 8, 2, 0, 0, 0)
    ends = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(body, 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(ends)


@pytest.mark.parametrize("name", FIGURES)
def test_figure(open_page: Open, name: str, request: pytest.FixtureRequest) -> None:
    path, selector, width = FIGURES[name]
    page = open_page(path, width=1440, height=900, reduced_motion="reduce", java_script_enabled=False)
    page.evaluate(COPY, [selector, width])
    shot = cells(page.locator("[data-copy]").screenshot(animations="disabled"))
    reference = LOOKS / f"{name}.png"
    if request.config.getoption("--golden"):
        LOOKS.mkdir(exist_ok=True)
        reference.write_bytes(as_rgb(shot))
        return
    _, rows = pixels(reference.read_bytes())
    before = [list(row[::3]) for row in rows]
    assert differing(shot, before) <= FEW, f"{name} looks otherwise: if it should, pytest {__file__} --golden"


@pytest.mark.parametrize("name", STRUCTURE)
def test_structure(open_page: Open, name: str, request: pytest.FixtureRequest) -> None:
    path, selector = STRUCTURE[name]
    page = open_page(path, width=1440, height=900, java_script_enabled=False)
    found = page.evaluate(FACTS, selector)
    assert found
    reference = LOOKS / f"{name}.json"
    if request.config.getoption("--golden"):
        LOOKS.mkdir(exist_ok=True)
        reference.write_text(json.dumps(found, indent=0, ensure_ascii=False) + "\n")
        return
    assert found == json.loads(reference.read_text())


def test_a_difference_is_seen(open_page: Open) -> None:
    """The comparison itself: a line that moved four pixels counts, the same picture does not."""
    page = open_page("/style/", width=1440, height=900)
    page.evaluate(COPY, ["svg.tape-sample", 480])
    copy = page.locator("[data-copy]")
    first = cells(copy.screenshot())
    assert differing(first, cells(copy.screenshot())) == 0
    page.evaluate("document.querySelector('[data-copy] .now').setAttribute('d', 'M440 0V48')")
    assert differing(first, cells(copy.screenshot())) > FEW
