// Which part of the sheet is seen: zoom and pan by wheel, pinch, drag, keys and buttons; in the address as ?view=x,y,zoom.
// In: the picture's SVG and its place. Out: its viewBox, and toPage(x, y) for whatever stands over it. Places are measured when the
// page's size changes, never while something moves.

const MOST = 40;
const STEP = 1.4;

export class View {
  constructor(stage) {
    this.stage = stage;
    this.listeners = [];
    this.pointers = new Map();
    this.adopt(stage.querySelector("[data-map]"));
    new ResizeObserver(() => this.measure()).observe(stage);
    this.wheel();
    this.drag();
  }

  // A (new) drawing: keep looking at the same part of it.
  adopt(svg) {
    this.svg = svg;
    const [x, y, w] = svg.getAttribute("viewBox").split(" ").map(Number);
    const before = this.width ? { x: this.x / this.width, y: this.y / this.height, k: this.k } : null;
    this.width = Number(svg.dataset.width);
    this.height = Number(svg.dataset.height);
    this.x = before ? before.x * this.width : x;
    this.y = before ? before.y * this.height : y;
    this.k = before ? before.k : this.width / w;
    this.measure();
  }

  changed(listener) {
    this.listeners.push(listener);
  }

  // Where the sheet lies on the page: one read of layout, when the size changed.
  measure() {
    const box = this.svg.getBoundingClientRect();
    const stage = this.stage.getBoundingClientRect();
    this.place = { left: box.left - stage.left + this.stage.scrollLeft, top: box.top - stage.top, w: box.width, h: box.height };
    this.apply();
  }

  apply() {
    const w = this.width / this.k;
    const h = this.height / this.k;
    this.x = Math.min(Math.max(this.x, 0), this.width - w);
    this.y = Math.min(Math.max(this.y, 0), this.height - h);
    const box = `${round(this.x)} ${round(this.y)} ${round(w)} ${round(h)}`;
    if (this.svg.getAttribute("viewBox") !== box) this.svg.setAttribute("viewBox", box);
    this.scale = Math.min(this.place.w / w, this.place.h / h) || 1;
    this.dx = this.place.left + (this.place.w - w * this.scale) / 2;
    this.dy = this.place.top + (this.place.h - h * this.scale) / 2;
    this.stage.classList.toggle("zoomed", this.k > 1.001);
    this.stage.style.setProperty("--k", this.k.toFixed(3));
    for (const listener of this.listeners) listener(this);
  }

  toPage(x, y) {
    return [(x - this.x) * this.scale + this.dx, (y - this.y) * this.scale + this.dy];
  }

  // A point of the page (client coordinates) on the sheet.
  toSheet(clientX, clientY) {
    const stage = this.stage.getBoundingClientRect();
    return [(clientX - stage.left + this.stage.scrollLeft - this.dx) / this.scale + this.x, (clientY - stage.top - this.dy) / this.scale + this.y];
  }

  zoom(factor, at = [this.x + this.width / this.k / 2, this.y + this.height / this.k / 2]) {
    const k = Math.min(Math.max(this.k * factor, 1), MOST);
    this.x = at[0] - (at[0] - this.x) * (this.k / k);
    this.y = at[1] - (at[1] - this.y) * (this.k / k);
    this.k = k;
    this.apply();
    this.remember();
  }

  fit() {
    this.k = 1;
    this.apply();
    this.remember();
  }

  centre(x, y) {
    this.x = x - this.width / this.k / 2;
    this.y = y - this.height / this.k / 2;
    this.apply();
    this.remember();
  }

  // Bring a place of the sheet into sight (and near enough).
  show(x, y, w, h, k = this.k) {
    this.k = Math.min(Math.max(k, 1), MOST);
    const [seenW, seenH] = [this.width / this.k, this.height / this.k];
    const inside = x >= this.x && x + w <= this.x + seenW && y >= this.y && y + h <= this.y + seenH;
    if (!inside || k !== this.k) {
      this.x = x + w / 2 - seenW / 2;
      this.y = y + h / 2 - seenH / 2;
    }
    this.apply();
    this.remember();
  }

  remember() {
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      const address = new URL(location.href);
      if (this.k > 1.001) address.searchParams.set("view", [this.x / this.width, this.y / this.height, this.k].map((part) => Number(part.toFixed(4))).join(","));
      else address.searchParams.delete("view");
      if (address.href !== location.href) history.replaceState(history.state, "", address);
    }, 250);
  }

  // A wheel that can't zoom out further scrolls the page, as does one over a page that is scrolled.
  wheel() {
    this.stage.addEventListener("wheel", (event) => {
      const column = this.stage.closest(".sheet-col");
      const pinch = event.ctrlKey || event.metaKey;
      if (!pinch && (column?.scrollTop > 0 || (event.deltaY > 0 && this.k <= 1.001))) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (pinch ? 0.01 : 0.002)), this.toSheet(event.clientX, event.clientY));
    }, { passive: false });
  }

  drag() {
    const stage = this.stage;
    stage.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest(".flight")) return;
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      this.moved = 0;
    });
    stage.addEventListener("pointermove", (event) => {
      const was = this.pointers.get(event.pointerId);
      if (!was) return;
      const [dx, dy] = [event.clientX - was[0], event.clientY - was[1]];
      if (this.pointers.size === 2) {
        const [[, a], [, b]] = [...this.pointers].map(([id, at]) => [id, id === event.pointerId ? [event.clientX, event.clientY] : at]);
        const [[, c], [, d]] = [...this.pointers];
        const ratio = Math.hypot(a[0] - b[0], a[1] - b[1]) / (Math.hypot(c[0] - d[0], c[1] - d[1]) || 1);
        this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
        this.zoom(ratio, this.toSheet((a[0] + b[0]) / 2, (a[1] + b[1]) / 2));
        return;
      }
      this.moved += Math.abs(dx) + Math.abs(dy);
      if (this.k <= 1.001 || this.moved < 5) return;
      if (!stage.hasPointerCapture(event.pointerId)) stage.setPointerCapture(event.pointerId);
      stage.classList.add("dragging");
      this.x -= dx / this.scale;
      this.y -= dy / this.scale;
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      this.apply();
    });
    for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, (event) => {
      this.pointers.delete(event.pointerId);
      if (stage.classList.contains("dragging")) this.remember();
      stage.classList.remove("dragging");
    });
    // The end of a drag is no click.
    stage.addEventListener("click", (event) => {
      if (this.moved >= 5 && this.k > 1.001) {
        event.preventDefault();
        event.stopPropagation();
      }
      this.moved = 0;
    }, true);
    stage.addEventListener("dragstart", (event) => event.preventDefault());
  }

  // Keys go closer to what they are on.
  key(event, at) {
    if (event.key === "+" || event.key === "=") this.zoom(STEP, at);
    else if (event.key === "-") this.zoom(1 / STEP, at);
    else if (event.key === "0") this.fit();
    else return false;
    return true;
  }

  button(name) {
    if (name === "in") this.zoom(STEP);
    else if (name === "out") this.zoom(1 / STEP);
    else this.fit();
  }
}

const round = (value) => Number(value.toFixed(2));
