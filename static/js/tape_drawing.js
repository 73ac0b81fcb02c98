// What the tape looks like: a scene (marks, terms, branches, the stretch of time in view) in, strokes on a canvas out. Nothing is remembered
// here and nothing waits. Shapes are those of templates/frame/shapes.html, read from the page once, so that a mark looks as it does elsewhere.

import { instant, span, t } from "./words.js";

export const ROWS = { bands: 16, lane: 22 };
export const HEIGHT = ROWS.bands + 2 * ROWS.lane;
export const BRANCH_ROW = 18;
export const HIT = 24;
const GLYPH = 14;
const RESERVE = 12; // the live edge does not stick to the border
const HATCH = ["none", "45", "135", "dots"];

// kind and outcome → the lane (0: what was asked, 1: what happened), the shape, the colour's role, how grave it is.
const REQUEST = { allow: ["verdict-allow", "allow", 1], ok: ["verdict-allow", "allow", 1], deny: ["verdict-deny", "deny", 4], error: ["verdict-error", "deny", 4], throttle: ["verdict-throttle", "wait", 3], wait: ["verdict-wait", "wait", 2] };
const HAPPENED = { election: ["role-leader", "raft", 4], fault: ["mark-fault", "deny", 5], death: ["mark-death", "ink2", 2], birth: ["mark-birth", "ink2", 1], rules: ["kind-kube-proxy", "ink2", 0] };

export function look(mark) {
  if (mark.kind === "mark") return { lane: 0, shape: "mark-flag", role: "ink", weight: 6 };
  const [shape, role, weight] = mark.kind === "request" ? (REQUEST[mark.outcome] ?? REQUEST.allow) : (HAPPENED[mark.kind] ?? HAPPENED.fault);
  return { lane: mark.kind === "request" ? 0 : 1, shape, role, weight };
}

export function scale(view, width) {
  const inner = width - RESERVE;
  const span = view.to - view.from;
  return { x: (at) => ((at - view.from) / span) * inner, at: (x) => view.from + (x / inner) * span, perPixel: span / inner, inner };
}

// Marks that would cover each other become one with a number. In: marks; out: [{x, lane, y, marks, shape, role, count}], newest first in each lane.
export function group(marks, view, width) {
  const { x } = scale(view, width);
  const groups = [];
  for (const lane of [0, 1]) {
    let last = null;
    for (const mark of marks.filter((one) => look(one).lane === lane).sort((a, b) => b.atMicros - a.atMicros)) {
      const at = x(mark.atMicros);
      if (at < -GLYPH || at > width + GLYPH) continue;
      if (last && last.x - at < (last.count > 1 ? 40 : 20)) {
        last.marks.push(mark);
        last.count += mark.count ?? 1;
        if (look(mark).weight > last.weight) Object.assign(last, face(mark));
      } else {
        last = { x: at, lane, y: ROWS.bands + ROWS.lane * (lane + 0.5), marks: [mark], count: mark.count ?? 1, ...face(mark) };
        groups.push(last);
      }
    }
  }
  return groups;
}

const face = (mark) => {
  const { shape, role, weight } = look(mark);
  return { shape, role, weight, top: mark };
};

// ---- shapes ------------------------------------------------------------------------------------------------------------

const shapes = new Map();

function shape(id) {
  if (!shapes.has(id)) {
    const symbol = document.getElementById(id);
    const parts = [...(symbol?.querySelectorAll("path, circle, rect") ?? [])].map((node) => ({ path: path(node), fill: node.getAttribute("fill") === "currentColor", width: Number(node.getAttribute("stroke-width") ?? 1.5), dash: (node.getAttribute("stroke-dasharray") ?? "").split(/[ ,]+/).filter(Boolean).map(Number) }));
    shapes.set(id, parts);
  }
  return shapes.get(id);
}

function path(node) {
  const number = (name) => Number(node.getAttribute(name) ?? 0);
  if (node.localName === "path") return new Path2D(node.getAttribute("d"));
  const made = new Path2D();
  if (node.localName === "circle") made.arc(number("cx"), number("cy"), number("r"), 0, 2 * Math.PI);
  else made.roundRect(number("x"), number("y"), number("width"), number("height"), number("rx"));
  return made;
}

function stamp(pen, id, x, y, colour, ground) {
  pen.save();
  pen.translate(x - GLYPH / 2, y - GLYPH / 2);
  pen.scale(GLYPH / 16, GLYPH / 16);
  pen.fillStyle = ground;
  pen.fillRect(-1, -1, 18, 18);
  pen.strokeStyle = pen.fillStyle = colour;
  for (const part of shape(id)) {
    pen.lineWidth = part.width;
    pen.setLineDash(part.dash);
    if (part.fill) pen.fill(part.path);
    pen.stroke(part.path);
  }
  pen.restore();
}

// ---- hatches -----------------------------------------------------------------------------------------------------------

function hatch(pen, kind, x, y, width, height, colour) {
  if (kind === "none" || width <= 0) return;
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = 1;
  pen.setLineDash([]);
  pen.beginPath();
  // Anchored to the sheet, not to the view, so that nothing crawls while the tape moves.
  const first = Math.floor(x / 7) * 7;
  if (kind === "dots") for (let at = first; at < x + width; at += 7) for (let down = 3; down < height; down += 6) pen.rect(at + (down % 2) * 3, y + down, 1.6, 1.6);
  else
    for (let at = first - height; at < x + width + height; at += 7) {
      pen.moveTo(at, kind === "45" ? y + height : y);
      pen.lineTo(at + height, kind === "45" ? y : y + height);
    }
  if (kind === "dots") pen.fill();
  else pen.stroke();
  pen.restore();
}

// ---- the picture -------------------------------------------------------------------------------------------------------

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 1.5e7, 3e7, 6e7, 1.2e8, 3e8, 6e8, 9e8, 1.8e9, 3.6e9, 7.2e9, 1.44e10, 4.32e10, 8.64e10];

// An instant in as many figures as a step of so many micros tells apart.
export function moment(micros, step) {
  const whole = instant(micros);
  if (step >= 1e6) return whole.slice(0, -4);
  if (step >= 1000) return whole;
  return `${whole} ${String(Math.floor(micros) % 1000).padStart(3, "0")}`;
}

// In: {view, edge, since, terms, groups, branches, playhead, preview, chosen, live}, colours by role. Milliseconds are the caller's business.
export function paint(pen, scene, width, height, colours) {
  const { x, perPixel, inner } = scale(scene.view, width);
  const bottom = HEIGHT;
  pen.clearRect(0, 0, width, height);
  pen.font = `12px ${colours.mono}`;
  pen.textBaseline = "middle";
  const line = (at, from, to, colour, thick, dash = []) => {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.setLineDash(dash);
    pen.beginPath();
    pen.moveTo(at, from);
    pen.lineTo(at, to);
    pen.stroke();
  };
  const edge = Math.min(x(scene.edge), width);
  const taken = bands(pen, scene, x, edge, colours, line);
  for (const at of [scene.playhead, scene.preview]) if (at != null) taken.push([x(at) - 8, x(at) + 8]);
  if (edge < width && edge > 60) {
    const words = scene.playhead == null ? t("tape.live") : `${t("tape.live")} +${span(scene.edge - scene.playhead)}`;
    const wide = pen.measureText(words).width;
    taken.push([edge - wide - 10, edge]);
    pen.fillStyle = colours.ground;
    pen.fillRect(edge - wide - 8, 1, wide + 6, ROWS.bands - 2);
    pen.fillStyle = colours.live;
    pen.fillText(words, edge - wide - 5, ROWS.bands / 2 + 0.5);
  }
  ticks(pen, scene, x, perPixel, edge, taken, colours, line);

  // Before what is kept, and after the moment shown: nothing one stands on.
  const kept = x(scene.since);
  if (kept > 0) hatch(pen, "135", 0, ROWS.bands, Math.min(kept, width), bottom - ROWS.bands, colours.edge);
  if (kept > 0 && kept < width) line(kept, 0, bottom, colours.edge, 1.5, [4, 3]);
  if (scene.playhead != null) {
    const from = Math.max(x(scene.playhead), 0);
    if (from < edge) hatch(pen, "45", from, ROWS.bands, edge - from, bottom - ROWS.bands, colours.rule);
  }

  for (const one of [...scene.groups].reverse()) mark(pen, one, scene, colours, line);

  line(edge, 0, bottom, colours.live, 2);
  if (scene.playhead != null) head(pen, x(scene.playhead), bottom, colours, line, []);
  if (scene.preview != null) head(pen, x(scene.preview), bottom, colours, line, [3, 3]);
  branches(pen, scene, x, inner, colours);
}

function bands(pen, scene, x, edge, colours, line) {
  const taken = [];
  scene.terms.forEach(([from, term, leader], i) => {
    const left = Math.max(x(from), 0);
    const right = i + 1 < scene.terms.length ? Math.min(x(scene.terms[i + 1][0]), edge) : edge;
    if (right <= 0 || left >= right) return;
    hatch(pen, HATCH[term % 4], left, 0, right - left, ROWS.bands, colours.rule);
    if (x(from) >= 0) line(left, 0, HEIGHT, colours.edge, 1);
    const words = leader ? `${t("term", { term })} · ${leader}` : t("term", { term });
    const long = pen.measureText(words).width;
    const short = pen.measureText(String(term)).width;
    const said = right - left > long + 12 ? words : right - left > short + 10 ? String(term) : "";
    if (!said) return;
    const wide = said === words ? long : short;
    pen.fillStyle = colours.ground;
    pen.fillRect(left + 2, 1, wide + 8, ROWS.bands - 2);
    pen.fillStyle = colours.ink2;
    pen.fillText(said, left + 6, ROWS.bands / 2 + 0.5);
    taken.push([left, left + wide + 14]);
  });
  return taken;
}

function ticks(pen, scene, x, perPixel, edge, taken, colours, line) {
  const step = STEPS.find((one) => one / perPixel > 118) ?? STEPS.at(-1);
  const last = Math.min(scene.view.to, scene.edge);
  for (let at = Math.ceil(Math.max(scene.view.from, 0) / step) * step; at <= last; at += step) {
    const where = Math.round(x(at)) + 0.5;
    line(where, ROWS.bands, HEIGHT, colours.rule, 1, [1, 3]);
    const words = moment(at, step);
    const wide = pen.measureText(words).width;
    if (where + wide + 6 > edge || taken.some(([from, to]) => where < to && where + wide + 8 > from)) continue;
    pen.fillStyle = colours.ground;
    pen.fillRect(where - 2, 1, wide + 6, ROWS.bands - 2);
    pen.fillStyle = colours.ink3;
    pen.fillText(words, where + 1, ROWS.bands / 2 + 0.5);
  }
}

function mark(pen, one, scene, colours, line) {
  const colour = colours[one.role];
  line(one.x, one.y - ROWS.lane / 2 + 1, one.y + ROWS.lane / 2 - 1, colour, 1);
  stamp(pen, one.shape, one.x, one.y, colour, colours.ground);
  if (one.count > 1) {
    const words = one.count > 999 ? `${Math.floor(one.count / 1000)}k` : String(one.count);
    const wide = pen.measureText(words).width;
    pen.fillStyle = colours.ground;
    // Before the mark; after it where the sheet begins.
    const left = one.x - GLYPH / 2 - wide - 2;
    const from = left < 2 ? one.x + GLYPH / 2 + 3 : left;
    pen.fillRect(from - 1, one.y - 7, wide + 2, 14);
    pen.fillStyle = colours.ink2;
    pen.fillText(words, from, one.y + 0.5);
  }
  if (scene.chosen && one.marks.includes(scene.chosen)) {
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 2;
    pen.setLineDash([]);
    pen.strokeRect(one.x - 10, one.y - 10, 20, 20);
  }
}

// The moment shown: a line with a wedge, so that it is told from the live edge without colour.
function head(pen, x, bottom, colours, line, dash) {
  line(x, 0, bottom, colours.ink, 2, dash);
  pen.fillStyle = colours.ink;
  pen.beginPath();
  pen.moveTo(x - 6, 0);
  pen.lineTo(x + 6, 0);
  pen.lineTo(x, 8);
  pen.fill();
}

// Branches leave the line downwards where they began, and go on below it. Where two names would meet, the later ones are counted.
function branches(pen, scene, x, inner, colours) {
  pen.setLineDash([]);
  pen.strokeStyle = colours.edge;
  pen.lineWidth = 1.5;
  const y = HEIGHT + BRANCH_ROW / 2;
  const labels = [];
  for (const one of [...scene.branches].sort((a, b) => a.atMicros - b.atMicros)) {
    const at = Math.min(Math.max(x(one.atMicros), 4), inner);
    pen.beginPath();
    pen.moveTo(at, HEIGHT - 4);
    pen.lineTo(at, y - 4);
    pen.lineTo(at + 4, y);
    pen.lineTo(Math.max(one.right ?? inner, at + 8), y);
    pen.stroke();
    const last = labels.at(-1);
    if (last && at < last.end) last.more += 1;
    else labels.push({ at, words: one.words, more: 0, end: at + one.wide + 44 });
  }
  for (const { at, words, more } of labels) {
    const text = more ? `${words} +${more}` : words;
    pen.fillStyle = colours.ground;
    pen.fillRect(at + 8, y - 7, pen.measureText(text).width + 8, 14);
    pen.fillStyle = colours.ink;
    pen.fillText(text, at + 12, y + 0.5);
  }
}
