// A crowd of nodes, closer: the further one zooms in, the more a node says. In: the field as the server drew it, and its cells
// ([name, x, y, w, h, worst, counts, cpu]) fetched once somebody zooms, points or moves by keys. Out: details over the glyphs, for the nodes
// that are in sight only, so that there are never more than some hundred elements.
//
// * under 30 px a node: the glyphs alone; * from 30 px: its number; * from 64 px: its name and pods counted by phase;
// * from 110 px: its pods, a shape each.

import { svg } from "./captions.js";
import { open } from "./inspector.js";
import { t } from "./words.js";

const PHASES = ["Ready", "Running", "Creating", "Pending", "Terminating", "Succeeded", "Failed", "CrashLoop", "Unknown"];
const URGENT = [6, 7, 8, 3, 2, 1, 4, 0, 5];
const MOST_IN_SIGHT = 90;
const MOST_NUMBERED = 200;
const MOST_OPEN = 12;
const NUMBER_PX = 30;
const COUNTS_PX = 64;
const PODS_PX = 110;

export class Field {
  constructor(view, stage) {
    this.view = view;
    this.stage = stage;
    this.cells = null;
    this.pods = new Map();
    view.changed(() => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.detail(), 120);
    });
    stage.addEventListener("click", (event) => this.click(event));
    document.addEventListener("seek", (event) => this.seek(event.detail));
  }

  adopt(drawing) {
    this.drawing = drawing;
    this.group = drawing.querySelector("[data-field]");
    this.kind = this.group?.dataset.field ?? "";
    this.layer = drawing.querySelector("[data-detail]");
    this.cells = null;
    this.pods.clear();
    if (this.cursor != null && this.kind === "grid") this.load().then(() => this.point(this.cursor, false));
    if (this.view.k > 1.001) this.detail();
  }

  async load() {
    if (this.cells || this.kind !== "grid") return this.cells ?? [];
    const address = new URL(location.href);
    address.searchParams.set("part", "cells");
    address.searchParams.set("sheet", `${this.drawing.dataset.width}x${this.drawing.dataset.height}`);
    this.loading ??= fetch(address).then((answer) => answer.json());
    this.cells = await this.loading.catch(() => []);
    this.loading = null;
    return this.cells;
  }

  // ---- closer ------------------------------------------------------------------------------------------------------------

  async detail() {
    const { view, layer } = this;
    if (this.kind !== "grid") return;
    const pitch = Number(this.group.dataset.pitch);
    const px = pitch * view.scale;
    for (const rack of this.group.querySelectorAll(".rack")) rack.style.fontSize = view.k > 1.001 ? `${14 / view.k}px` : "";
    this.group.classList.remove("closer");
    if (view.k <= 1.001 || px < NUMBER_PX) return void layer.replaceChildren();
    const cells = await this.load();
    const [w, h] = [view.width / view.k, view.height / view.k];
    const seen = cells.filter(([, x, y, cw, ch]) => x + cw > view.x && x < view.x + w && y + ch > view.y && y < view.y + h);
    if (seen.length > (px < COUNTS_PX ? MOST_NUMBERED : MOST_IN_SIGHT)) return void layer.replaceChildren();
    if (px >= PODS_PX && seen.length <= MOST_OPEN) await this.open(seen.map(([name]) => name));
    layer.replaceChildren(...seen.map((cell) => this.draw(cell, px)));
    if (this.cursor != null) this.point(this.cursor, false);
    this.group.classList.add("closer");
  }

  async open(names) {
    const missing = names.filter((name) => !this.pods.has(name));
    if (!missing.length) return;
    const address = new URL(location.href);
    address.searchParams.set("part", "pods");
    address.searchParams.set("nodes", missing.join(","));
    const answer = await fetch(address).catch(() => null);
    if (answer?.ok) for (const [name, pods] of Object.entries(await answer.json())) this.pods.set(name, pods);
  }

  // A node at this size: everything is drawn in its own small coordinates, 1 unit = 1 px on the page.
  draw([name, x, y, w, , worst, counts, cpu], px) {
    const s = w / px;
    const size = px * 0.94;
    const number = name.slice(name.lastIndexOf("-") + 1);
    const link = svg("a", { class: `thing cell worst ${worst}`, href: `?select=${encodeURIComponent(`node:${name}`)}`, tabindex: "-1", transform: `translate(${x} ${y}) scale(${s})` });
    Object.assign(link.dataset, { select: `node:${name}`, host: name });
    link.setAttribute("aria-label", t("cell", { name, n: counts.reduce((sum, n) => sum + n, 0), cpu: Math.round(cpu / 10) }));
    link.append(svg("rect", { class: "outline", x: 0, y: 0, width: size, height: size }));
    if (px < COUNTS_PX) {
      link.append(svg("text", { class: "small", x: size / 2, y: size / 2 + 5, "text-anchor": "middle" }, number));
      const sign = { working: "Running", failing: "Failed" }[worst];
      if (sign) link.append(svg("svg", { class: `pod ${sign}`, x: size - 9, y: -3, width: 12, height: 12, viewBox: "0 0 16 16" }, svg("use", { href: `#phase-${sign}` })));
      return link;
    }
    link.append(svg("text", { class: "name", x: 5, y: 16 }, px < 90 ? number : name));
    const pods = px >= PODS_PX ? this.pods.get(name) : null;
    if (pods) {
      const mark = Math.max(5, Math.min(20, Math.floor(Math.sqrt(((size - 10) * (size - 30)) / Math.max(pods.length, 1))) - 1));
      const across = Math.max(1, Math.floor((size - 10) / mark));
      pods.forEach(([namespace, pod, phase], i) => {
        const chip = svg("svg", { class: `pod ${phase}`, x: 5 + (i % across) * mark, y: 22 + Math.floor(i / across) * mark, width: mark - 1, height: mark - 1, viewBox: "0 0 16 16" }, svg("use", { href: `#phase-${phase}` }));
        chip.dataset.pod = `${namespace}/${pod}`;
        link.append(chip);
      });
    } else {
      let line = 20;
      for (const i of URGENT) {
        if (!counts[i] || line + 16 > size - 8) continue;
        link.append(svg("svg", { class: `pod ${PHASES[i]}`, x: 5, y: line, width: 14, height: 14, viewBox: "0 0 16 16" }, svg("use", { href: `#phase-${PHASES[i]}` })), svg("text", { class: "small", x: 23, y: line + 12 }, String(counts[i])));
        line += 17;
      }
    }
    link.append(svg("path", { class: "load", d: `M5 ${size - 5}h${size - 10}` }), svg("path", { class: "load full", d: `M5 ${size - 5}h${((size - 10) * Math.min(cpu, 1000)) / 1000}` }));
    return link;
  }

  // ---- pointing ----------------------------------------------------------------------------------------------------------

  async click(event) {
    if (!event.target.closest("[data-grid-keys]") || event.defaultPrevented) return;
    event.preventDefault();
    const [x, y] = this.view.toSheet(event.clientX, event.clientY);
    const pitch = Number(this.group.dataset.pitch);
    const index = (await this.load()).findIndex(([, cx, cy]) => x >= cx && x < cx + pitch && y >= cy && y < cy + pitch);
    if (index < 0) return;
    this.point(index);
    open(`node:${this.cells[index][0]}`);
  }

  async seek(select) {
    if (this.kind !== "grid") return;
    const cells = await this.load();
    const index = cells.findIndex(([name]) => select === `host:${name}` || select === `node:${name}` || select.endsWith(`-${name}`));
    if (index < 0) return;
    const [, x, y, w, h] = cells[index];
    this.view.show(x - 2 * w, y - 2 * h, 5 * w, 5 * h, Math.max(this.view.k, 80 / (Number(this.group.dataset.pitch) * (this.view.scale / this.view.k))));
    this.point(index);
  }

  // The ring that says which node the keys are on; the grid's one link carries its name.
  point(index, follow = true) {
    const cell = this.cells?.[index];
    const link = this.drawing.querySelector("[data-grid-keys]");
    if (!cell || !link) return;
    this.cursor = index;
    const [name, x, y, w, h, , counts, cpu] = cell;
    let ring = this.drawing.querySelector(".cursor");
    if (!ring) this.drawing.querySelector("[data-marks]").append((ring = svg("rect", { class: "cursor" })));
    const gap = 3 / this.view.k;
    for (const [key, value] of Object.entries({ x: x - gap, y: y - gap, width: w + 2 * gap, height: h + 2 * gap })) ring.setAttribute(key, value);
    link.dataset.select = `node:${name}`;
    link.setAttribute("href", `?select=${encodeURIComponent(`node:${name}`)}`);
    link.setAttribute("aria-label", t("cell", { name, n: counts.reduce((sum, n) => sum + n, 0), cpu: Math.round(cpu / 10) }));
    if (follow && this.view.k > 1.001) this.view.show(x, y, w, h);
  }

  // Arrow keys on the grid: from glyph to glyph; at its left edge they leave it.
  arrow(thing, name) {
    if (!thing.matches("[data-grid-keys]")) return false;
    if (this.cells) return this.move(name);
    this.load().then(() => (this.cursor == null ? this.point(0) : this.move(name)));
    return true;
  }

  move(name) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[name];
    const [, x, y] = this.cells[this.cursor ?? 0] ?? [];
    let best = -1;
    let least = Infinity;
    this.cells.forEach(([, cx, cy], index) => {
      const ahead = (cx - x) * dx + (cy - y) * dy;
      const aside = Math.abs((cx - x) * dy) + Math.abs((cy - y) * dx);
      if (ahead > 0 && aside <= ahead * 4 && ahead + 3 * aside < least) [best, least] = [index, ahead + 3 * aside];
    });
    if (best < 0) return false;
    this.point(best);
    return true;
  }

  // Where the keys are on the sheet.
  middle(thing) {
    const cell = thing.matches("[data-grid-keys]") && this.cells?.[this.cursor];
    return cell ? [cell[1] + cell[3] / 2, cell[2] + cell[4] / 2] : undefined;
  }

  key(event, thing) {
    if (event.key !== "Enter" || !thing.matches("[data-grid-keys]") || this.cursor == null || !this.cells) return false;
    open(`node:${this.cells[this.cursor][0]}`);
    return true;
  }
}
