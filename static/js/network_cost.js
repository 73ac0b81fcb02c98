// The cost curve: points come one by one as they are measured, and are drawn at once. Both axes are logarithmic; a mode is a line style and a name at its end.

import { svg } from "./captions.js";
import { span, t } from "./words.js";

const MODES = ["iptables", "userspace", "ipvs", "nftables"];
const BOX = { left: 76, top: 30, right: 560, bottom: 330 };
const ALL = 16;

export function start(part) {
  // What this server has measured before is drawn at once.
  const known = JSON.parse(part.querySelector("#cost-known").textContent);
  draw(part, known);
  if (known.length) figures(part, known);
  const button = part.querySelector("[data-measure]");
  button.addEventListener("click", () => run(part, known, button));
  button.disabled = false;
}

async function run(part, known, button) {
  button.disabled = true;
  const progress = part.querySelector("[data-progress]");
  const failed = part.querySelector("[data-cost-failed]");
  progress.hidden = false;
  failed.hidden = true;
  known.length = 0;
  try {
    const answer = await fetch(part.dataset.href);
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const point = JSON.parse(line);
        if (point.error) throw new Error(point.error);
        known.push(point);
      }
      progress.querySelector("progress").value = known.length;
      progress.querySelector("span").textContent = t("measured", { n: known.length, all: ALL });
      draw(part, known);
      figures(part, known);
    }
    if (known.length < ALL) throw new Error(t("measured", { n: known.length, all: ALL }));
  } catch (error) {
    progress.hidden = true;
    failed.hidden = false;
    failed.textContent = t("measure.failed", { why: error.message });
  } finally {
    button.disabled = false;
  }
}

const x = (services) => BOX.left + ((Math.log10(services) - 1) / 3) * (BOX.right - BOX.left);
const y = (asked) => BOX.bottom - (Math.log10(asked) / 5) * (BOX.bottom - BOX.top);

function draw(part, known) {
  const chart = part.querySelector("[data-curve]");
  const nodes = [];
  const text = (content, at) => {
    const node = svg("text", at);
    node.textContent = content;
    return node;
  };
  for (const services of [10, 100, 1000, 10000]) {
    nodes.push(svg("line", { class: "grid", x1: x(services), x2: x(services), y1: BOX.top, y2: BOX.bottom }));
    nodes.push(text(services.toLocaleString("en"), { x: x(services), y: BOX.bottom + 24, "text-anchor": "middle" }));
  }
  for (let power = 0; power <= 5; power++) {
    nodes.push(svg("line", { class: "grid", x1: BOX.left, x2: BOX.right, y1: y(10 ** power), y2: y(10 ** power) }));
    nodes.push(text((10 ** power).toLocaleString("en"), { x: BOX.left - 10, y: y(10 ** power) + 5, "text-anchor": "end" }));
  }
  nodes.push(text(t("axis.services"), { class: "axis", x: BOX.right, y: BOX.bottom + 46, "text-anchor": "end" }));
  nodes.push(text(t("axis.asked"), { class: "axis", x: 4, y: 14 }));
  const taken = [];
  for (const mode of MODES) {
    const points = known.filter((point) => point.mode === mode);
    if (!points.length) continue;
    nodes.push(svg("polyline", { class: `line ${mode}`, points: points.map((point) => `${x(point.services)},${y(point.asked)}`).join(" ") }));
    for (const point of points) nodes.push(svg("circle", { class: `dot ${mode}`, cx: x(point.services), cy: y(point.asked), r: 4.5 }));
    const last = points.at(-1);
    // Names at the ends of lines that lie on one another stand one below the other.
    let place = y(last.asked) + 5;
    while (taken.some((other) => Math.abs(other - place) < 20)) place += 20;
    taken.push(place);
    nodes.push(text(`${mode} ${last.asked.toLocaleString("en")}`, { class: "series", x: x(last.services) + 12, y: place }));
  }
  chart.replaceChildren(...nodes);
}

function figures(part, known) {
  const rows = [...known].sort((a, b) => MODES.indexOf(a.mode) - MODES.indexOf(b.mode) || a.services - b.services);
  part.querySelector("[data-figures] tbody").replaceChildren(
    ...rows.map((point) => {
      const row = document.createElement("tr");
      const cells = [point.mode, point.services.toLocaleString("en"), point.asked.toLocaleString("en"), span(point.walkMicros), span(point.syncMillis * 1000), point.lines.toLocaleString("en"), point.partialLines ? point.partialLines.toLocaleString("en") : "–"];
      cells.forEach((content, i) => {
        const cell = document.createElement(i ? "td" : "th");
        if (!i) cell.scope = "row";
        else cell.className = "num mono";
        cell.textContent = content;
        row.append(cell);
      });
      return row;
    }),
  );
}
