// The key plan: as on a drawing of a large house, a small sheet beside the title block says which part of the whole one has before one's eyes.
// It is there while one is close, stands in the foot and covers nothing; a press in it goes there. Keys reach every place without it.

import { svg } from "./captions.js";
import { t } from "./words.js";

const TALL = 40;

export function keyplan({ view, drawing }) {
  const foot = document.querySelector(".picture .caption-row");
  const title = foot?.querySelector(".title-block");
  const box = document.createElement("div");
  box.className = "keyplan";
  let frame = null;

  function adopt() {
    const sheet = drawing();
    const [w, h] = [view.width, view.height];
    frame = svg("rect", { class: "seen" });
    const places = [...sheet.querySelectorAll(".host > .outline, .node > .outline, .cell > .outline, .rackbox > .outline")].map((one) => {
      const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => one.getAttribute(name));
      return `M${x} ${y}h${width}v${height}h-${width}z`;
    });
    const glyphs = [...sheet.querySelectorAll(".glyphs path")].map((one) => svg("path", { class: one.getAttribute("class"), d: one.getAttribute("d") }));
    const plan = svg("svg", { viewBox: `0 0 ${w} ${h}`, width: Math.round((TALL * w) / h), height: TALL, role: "img", "aria-label": t("keyplan") });
    plan.append(svg("path", { class: "places", d: places.join("") }), ...glyphs, frame);
    box.replaceChildren(plan);
    show();
  }

  function show() {
    const close = view.k > 1.001;
    if (!close) return box.remove();
    if (!box.isConnected) document.querySelector(".picture .title-block")?.before(box);
    const [w, h] = [view.width / view.k, view.height / view.k];
    for (const [name, value] of Object.entries({ x: view.x, y: view.y, width: w, height: h })) frame.setAttribute(name, value.toFixed(1));
    return undefined;
  }

  function go(event) {
    if (!event.buttons) return;
    const plan = box.firstChild.getBoundingClientRect();
    view.centre(((event.clientX - plan.left) / plan.width) * view.width, ((event.clientY - plan.top) / plan.height) * view.height);
  }
  box.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    box.setPointerCapture(event.pointerId);
    go(event);
  });
  box.addEventListener("pointermove", go);

  if (title) adopt();
  return { adopt, show: title ? show : () => {} };
}
