// The map by keys alone: one stop for Tab, arrows to the nearest thing in that direction, Enter opens, letters are faults.
// In: the drawn things (all links with data-select). In a crowd of nodes the arrows go on from glyph to glyph (field.js).

import * as faults from "./faults.js";
import * as tools from "./tools.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let stage = null;
let view = null;
let field = null;
let current = null;

export function start(where, seen, nodes) {
  [stage, view, field] = [where, seen, nodes];
  stage.addEventListener("keydown", key);
  stage.addEventListener("focusin", (event) => {
    const thing = event.target.closest("[data-map] a");
    if (thing) rove(thing);
  });
  adopt();
}

const things = () => [...stage.querySelectorAll("[data-map] a[href]")];

// A new drawing: all out of the way of Tab but one; the focus stays on the thing it was on.
export function adopt(focus = "") {
  const all = things();
  for (const thing of all) thing.setAttribute("tabindex", "-1");
  const same = focus && all.find((thing) => (focus === "grid" ? thing.matches("[data-grid-keys]") : thing.dataset.select === focus));
  current = same || all.find((thing) => thing.dataset.select === current?.dataset.select) || all.find((thing) => thing.matches(".box")) || all[0];
  current?.setAttribute("tabindex", "0");
  if (same) same.focus({ preventScroll: true });
}

function rove(thing) {
  if (thing === current) return;
  current?.setAttribute("tabindex", "-1");
  current = thing;
  thing.setAttribute("tabindex", "0");
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const thing = event.target.closest("[data-map] a");
  if (!thing) return;
  const done = (ARROWS[event.key] && arrow(thing, event.key)) || view.key(event, field.middle(thing) ?? middle(thing)) || field.key(event, thing) || tools.key(event.key) || faults.key(event.key, thing);
  if (!done) return;
  event.preventDefault();
  event.stopPropagation();
}

// The middle of a thing on the sheet.
function middle(thing) {
  const box = (thing.querySelector(".outline, .link, .hit") ?? thing).getBoundingClientRect();
  return view.toSheet(box.left + box.width / 2, box.top + box.height / 2);
}

function arrow(thing, name) {
  if (field.arrow(thing, name)) return true;
  const next = nearest(thing, ARROWS[name]);
  next?.focus({ preventScroll: true });
  return true;
}

// The nearest thing whose middle lies that way; what lies aside counts double.
function nearest(from, [dx, dy]) {
  const middle = (thing) => {
    const box = (thing.querySelector(".outline, .link, .hit") ?? thing).getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const [x, y] = middle(from);
  let best = null;
  let least = Infinity;
  for (const thing of things()) {
    if (thing === from) continue;
    const [tx, ty] = middle(thing);
    const ahead = (tx - x) * dx + (ty - y) * dy;
    const aside = Math.abs((tx - x) * dy) + Math.abs((ty - y) * dx);
    if (ahead < 3 || aside > ahead * 3 + 4) continue;
    const cost = ahead + 2 * aside;
    if (cost < least) [best, least] = [thing, cost];
  }
  return best;
}
