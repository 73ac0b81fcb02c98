// The knife: a stroke across lines cuts them, a stroke around hosts isolates those from all others. While it is drawn the stroke says what it
// would do. Keys do the same: c on a line or a host, v chooses several hosts. Undo is a branch from before, as of every fault (faults.js).
//
// In: the stage, its view (which doesn't move meanwhile). A stroke is a list of points on the sheet.

import { svg, say } from "./captions.js";
import * as faults from "./faults.js";
import { t } from "./words.js";

const LEAST = 24;
const APART = 6;
const SHUT = 0.22; // of its length: a stroke whose ends are nearer than this goes around something

export function knife({ stage, view, field, drawing }) {
  const hint = document.querySelector("[data-hint]");
  let stroke = null;
  const tool = { on: false, set };

  function set(on) {
    tool.on = on;
    stage.classList.toggle("cutting", on);
    hint.hidden = !on;
    hint.textContent = on ? t("tool.cut") : "";
    if (!on) end();
  }

  const listen = (kind, hear) => stage.addEventListener(kind, (event) => tool.on && hear(event), true);
  listen("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    event.preventDefault();
    event.stopPropagation();
    stage.setPointerCapture(event.pointerId);
    stroke = [view.toSheet(event.clientX, event.clientY)];
  });
  listen("pointermove", (event) => {
    if (!stroke) return;
    event.stopPropagation();
    const to = view.toSheet(event.clientX, event.clientY);
    if (far(stroke.at(-1), to) < APART) return;
    stroke.push(to);
    draw(deed(stroke), stroke);
  });
  listen("pointerup", (event) => {
    if (!stroke) return;
    event.stopPropagation();
    const done = stroke;
    const what = deed(done);
    end();
    if (long(done) < LEAST) return;
    if (what.hosts.length) faults.act("isolate", { kind: "host", name: what.hosts.join(", "), names: what.hosts });
    else if (what.ways.length) faults.cut(what.ways.map(({ dataset: { a, b } }) => ({ a, b })));
    else say(t("tool.nothing"), { outcome: "wait" });
  });
  listen("pointercancel", end);
  // What the knife touches is not opened.
  listen("click", (event) => {
    event.preventDefault();
    event.stopPropagation();
  });

  function end() {
    stroke = null;
    draw({ ways: [], hosts: [] }, null);
  }

  // What a stroke does: hosts inside it if it is shut, else the lines that it crosses and that aren't cut yet.
  function deed(points) {
    const shut = long(points) > 120 && far(points[0], points.at(-1)) < SHUT * long(points);
    const all = hosts();
    const hosts_ = shut ? all.filter(([, x, y]) => inside(points, x, y)).map(([name]) => name) : [];
    if (hosts_.length && hosts_.length < all.length) return { ways: [], hosts: hosts_ };
    const ways = [...drawing().querySelectorAll("[data-route]")].filter((way) => way.dataset.a !== "nodes" && !way.classList.contains("cut") && crosses(points, route(way)));
    return { ways, hosts: [] };
  }

  function hosts() {
    const drawn = [...drawing().querySelectorAll("[data-host]")].map((host) => {
      const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => Number(host.querySelector(".outline").getAttribute(name)));
      return [host.dataset.host, x + w / 2, y + h / 2];
    });
    return field.kind === "grid" ? [...drawn, ...(field.cells ?? []).map(([name, x, y, w, h]) => [name, x + w / 2, y + h / 2])] : drawn;
  }

  function draw({ ways, hosts: names }, points) {
    const sheet = drawing();
    for (const way of sheet.querySelectorAll(".way.would")) if (!ways.includes(way)) way.classList.remove("would");
    for (const way of ways) way.classList.add("would");
    sheet.querySelector(".stroke")?.remove();
    if (!points) return;
    const [x, y] = points.at(-1);
    const words = names.length ? t("tool.parts", { names: names.length > 3 ? names.length : names.join(", ") }) : ways.length ? t("tool.cuts", { n: ways.length }) : "";
    const path = svg("path", { d: `M${points.map((point) => point.map(Math.round).join(" ")).join("L")}` });
    const mark = svg("g", { class: "stroke", "aria-hidden": "true" }, path);
    if (words) mark.append(svg("text", { x, y: y - 10, "text-anchor": x > view.width * 0.8 ? "end" : "start" }, words));
    sheet.querySelector("[data-marks]").append(mark);
  }

  return tool;
}

const far = ([a, b], [c, d]) => Math.hypot(a - c, b - d);
const long = (points) => points.reduce((sum, point, i) => sum + (i ? far(points[i - 1], point) : 0), 0);
const route = (way) => way.dataset.route.split(" ").map((pair) => pair.split(",").map(Number));

// Whether two polylines have a point in common that is no end of either.
export function crosses(one, other) {
  for (let i = 1; i < one.length; i += 1) for (let j = 1; j < other.length; j += 1) if (cross(one[i - 1], one[i], other[j - 1], other[j])) return true;
  return false;
}

function cross(a, b, c, d) {
  const side = ([x1, y1], [x2, y2], [x3, y3]) => Math.sign((x2 - x1) * (y3 - y1) - (y2 - y1) * (x3 - x1));
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

// Whether a point lies in a shut stroke: how often a ray to the right leaves it.
export function inside(points, x, y) {
  let odd = false;
  points.forEach(([x1, y1], i) => {
    const [x2, y2] = points[(i + 1) % points.length];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) odd = !odd;
  });
  return odd;
}
