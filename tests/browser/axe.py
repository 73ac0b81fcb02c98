"""axe-core 4.12 in a page: what it finds, and every contrast that nobody could decide.

axe leaves undecided what stands on a drawing, at the edge of a scrolled box, or is a single letter. The sheet decides those: a text whose
own colour has 4.5:1 on each ground that its sheet has is legible wherever it stands; a letter in a filled shape is compared with the
filling. What neither can decide is a fault.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

WHOLE: dict[str, Any] = {"rules": {"target-size": {"enabled": True}}}
CONTRAST: dict[str, Any] = {"runOnly": ["color-contrast"]}
LAYOUT: dict[str, Any] = {"runOnly": ["color-contrast", "target-size", "scrollable-region-focusable"]}
"""What depends on where things lie."""
RUN = """async ([options, within]) => {
  const found = await axe.run(within || document, { resultTypes: ["violations", "incomplete"], ...options });
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = rgb(colour).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const role = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const least = (colour, grounds) => Math.min(...grounds.map((ground) => contrast(colour, ground)));
  const decided = (el) => {
    if (!el) return true; // it is gone meanwhile
    for (let up = el; up; up = up.parentElement) if (Number(getComputedStyle(up).opacity) < 1) return !el.checkVisibility({ opacityProperty: true });
    const style = getComputedStyle(el);
    const colour = el instanceof SVGElement ? style.fill : style.color;
    if (rgb(colour)[3] < 255) return false;
    if (least(colour, ["paper", "panel", "sunk", "past"].map(role)) >= 4.5) return true;
    const filled = el.closest(".leader, .leads, [data-filled]");
    return Boolean(filled) && least(colour, [role(filled.dataset.filled || "raft")]) >= 4.5;
  };
  const lines = (row, nodes) => nodes.slice(0, 3).map((node) => {
    const why = [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
    return `${row.id}: ${node.html.slice(0, 150)} | ${why.slice(0, 200)}`;
  });
  const undecided = found.incomplete.filter((row) => row.id === "color-contrast");
  return [
    ...found.violations.flatMap((row) => lines(row, row.nodes)),
    ...undecided.flatMap((row) => lines(row, row.nodes.filter((node) => !decided(document.querySelector(node.target[0]))))),
  ];
}"""


@cache
def script() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()


def sheet(page: Page, name: str) -> None:
    """Light and dark differ by their colours alone: they are switched in place."""
    page.evaluate("name => { document.documentElement.dataset.theme = name; }", name)


def faults(page: Page, options: dict[str, Any] = WHOLE, within: str = "") -> list[str]:
    """One line a fault: rule, element, reason. At most three elements a rule. ``within``: a selector; what else is there was asked before."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(script())
    return page.evaluate(RUN, [options, within])
