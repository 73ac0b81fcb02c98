// One plain sentence per consequence: in the caption line, in the feed beside the picture, for screen readers.
// Repeats fold ("3 times"); the caption holds each sentence long enough to be read and skips to the newest when many come.

import { t } from "./words.js";

const HOLD_MS = 1100;
const KEEP = 40;
// Looked for anew each time: another moment brings another picture with a line of its own.
const lines = () => document.querySelectorAll("[data-caption]");
const waiting = [];
let timer = 0;

export function say(sentence, { outcome = "ok", href = "", quiet = false, lang = "" } = {}) {
  list(sentence, outcome, href, lang);
  if (quiet || lines().length === 0) return;
  waiting.push(sentence);
  if (waiting.length > 4) waiting.splice(0, waiting.length - 4);
  if (!timer) next();
}

function next() {
  const sentence = waiting.shift();
  if (sentence === undefined) {
    timer = 0;
    return;
  }
  for (const line of lines()) line.textContent = sentence;
  timer = setTimeout(next, HOLD_MS);
}

function list(sentence, outcome, href, lang) {
  const feed = document.querySelector("[data-feed]");
  if (!feed) return;
  feed.querySelector(".empty")?.remove();
  const first = feed.firstElementChild;
  if (first && first.dataset.sentence === sentence) {
    const times = Number(first.dataset.times ?? 1) + 1;
    first.dataset.times = times;
    first.querySelector(".times").textContent = ` · ${t("times", { n: times })}`;
    return;
  }
  const item = document.createElement("li");
  item.className = `is-${outcome}`;
  item.dataset.sentence = sentence;
  const text = document.createElement(href ? "a" : "span");
  text.textContent = sentence;
  if (href) text.href = href;
  if (lang) text.lang = lang;
  const cell = document.createElement("span");
  const times = document.createElement("span");
  times.className = "times";
  cell.append(text, times);
  item.append(icon(`verdict-${outcome}`), cell);
  feed.prepend(item);
  while (feed.children.length > KEEP) feed.lastElementChild.remove();
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name, size) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  if (size) {
    svg.setAttribute("width", size);
    svg.setAttribute("height", size);
  }
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}
