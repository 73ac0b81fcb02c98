// Where each request's bar lies on the one time axis that all rows share: explainer/fragments/waterfall.py says how, and draws it first.

import { svg } from "./captions.js";

const GAP_SHARE = 0.12, GAP_LEAST = 2000, GAP_WIDTH = 2.4, GAPS_WIDTH = 36, LEAST = 0.35;

// rows: [{start, end (null: open), parts: [[part, from, to]]}], times in micros → pieces of the axis, left to right.
export function axis(rows) {
  const spans = rows.map((row) => [row.start, ends(row)]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const join = (list, least) => list.reduce((out, [start, end]) => {
    const last = out.at(-1);
    if (last && start - last[1] <= least) last[1] = Math.max(last[1], end);
    else out.push([start, end]);
    return out;
  }, []);
  const busy = join(spans, 0);
  const whole = busy.reduce((sum, [start, end]) => sum + end - start, 0);
  const joined = join(busy.map((one) => [...one]), Math.max(GAP_SHARE * whole, GAP_LEAST));
  const gap = joined.length > 1 ? Math.min(GAP_WIDTH, GAPS_WIDTH / (joined.length - 1)) : 0;
  const room = 100 - gap * (joined.length - 1);
  const total = joined.reduce((sum, [start, end]) => sum + Math.max(end - start, 1), 0);
  const pieces = [];
  let x = 0;
  joined.forEach(([start, end], index) => {
    if (index) {
      pieces.push({ start: joined[index - 1][1], end: start, x0: x, x1: x + gap, folded: true });
      x += gap;
    }
    const width = (room * Math.max(end - start, 1)) / total;
    pieces.push({ start, end, x0: x, x1: x + width, folded: false });
    x += width;
  });
  return pieces;
}

// A window of so many micros from an instant, without folds.
export const window_ = (start, micros) => [{ start, end: start + micros, x0: 0, x1: 100, folded: false }];

const ends = (row) => (row.end == null ? row.start + (row.parts.at(-1)?.[2] ?? 0) : row.end);

function place(pieces, micros) {
  for (const piece of pieces) {
    if (micros <= piece.end) return micros <= piece.start ? piece.x0 : piece.x0 + ((piece.x1 - piece.x0) * (micros - piece.start)) / Math.max(piece.end - piece.start, 1e-9);
  }
  return 100;
}

// Draw one row's bar. What lies outside the window is an arrow at its edge.
export function draw(node, pieces, row) {
  const first = pieces[0]?.start ?? 0, last = pieces.at(-1)?.end ?? 0;
  if (row.start > last || (row.end != null && ends(row) < first)) {
    const late = row.start > last;
    node.replaceChildren(svg("svg", { x: late ? "100%" : "0%", overflow: "visible" }, svg("path", { class: "beyond", d: late ? "M-8 5v10l6-5Z" : "M8 5v10l-6-5Z" })));
    return;
  }
  const rect = (part, from, to) => {
    const x0 = place(pieces, from), x1 = place(pieces, to);
    return svg("rect", { class: `part ${part}`, x: `${Math.min(x0, 100 - LEAST).toFixed(2)}%`, width: `${Math.max(x1 - x0, LEAST).toFixed(2)}%` });
  };
  const bars = row.parts.filter(([, , to]) => row.start + to >= first).map(([part, from, to]) => rect(part, row.start + from, row.start + to));
  if (row.end == null) bars.push(rect("open", ends(row), last));
  else if (!bars.length) bars.push(rect("response", row.start, row.end));
  node.replaceChildren(...bars);
}

export function folds(node, pieces) {
  node.replaceChildren(...pieces.filter((piece) => piece.folded).map((piece) => svg("rect", { class: "fold", x: `${piece.x0.toFixed(2)}%`, width: `${(piece.x1 - piece.x0).toFixed(2)}%`, height: "100%" })));
}
