// The inspector beside the map: what is selected, its tabs, copying, and the box that finds things by name.
// A link with ?select= changes the inspector and the address, not the page; without this script it is an ordinary link.

import { say } from "./captions.js";
import { t } from "./words.js";

let stage = null;

export function start(where) {
  stage = where;
  document.addEventListener("click", click);
  document.addEventListener("acted", () => setTimeout(again, 250));
  addEventListener("popstate", again);
  document.addEventListener("keydown", tabs);
  find(document.querySelector("[data-find]"));
  mark();
}

function click(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  if (event.target.closest?.("[data-copy]")) return void copy();
  const link = event.target.closest?.("a");
  const href = link?.getAttribute("href") ?? "";
  if (!link || !href.startsWith("?") || !link.closest("[data-stage], #inspector, .doc")) return;
  event.preventDefault();
  const selected = new URLSearchParams(href).get("select");
  open(selected ?? "", new URLSearchParams(href).get("tab") ?? "", link.closest(".tabs") !== null);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(document.querySelector("[data-yaml]").textContent);
    say(t("copied"));
  } catch (error) {
    say(t("failed", { why: error.message }), { outcome: "error" });
  }
}

// Open a thing; "" closes.
export async function open(select, tab = "", stay = false) {
  const address = new URL(location.href);
  for (const name of ["select", "tab", "find"]) address.searchParams.delete(name);
  if (select) address.searchParams.set("select", select);
  if (tab) address.searchParams.set("tab", tab);
  if (address.href !== location.href) history.pushState(null, "", address);
  await again();
  if (stay) document.querySelector(".tabs [aria-current]")?.focus();
}

async function again() {
  const address = new URL(location.href);
  address.searchParams.set("part", "inspector");
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok) return;
  const inside = document.getElementById("inspector");
  const feed = inside.querySelector("[data-feed]");
  inside.innerHTML = await answer.text();
  if (feed) inside.querySelector("[data-feed]")?.replaceWith(feed);
  inside.scrollTop = 0;
  mark();
  document.dispatchEvent(new CustomEvent("opened"));
}

export function mark() {
  for (const thing of stage.querySelectorAll(".is-selected")) thing.classList.remove("is-selected");
  const select = new URLSearchParams(location.search).get("select");
  if (!select) return;
  const same = select.startsWith("host:") ? [select, select.replace("host:", "node:")] : select.startsWith("node:") ? [select, select.replace("node:", "host:")] : [select];
  for (const one of same) stage.querySelector(`[data-select="${CSS.escape(one)}"]`)?.classList.add("is-selected");
}

// Left and right go from tab to tab.
function tabs(event) {
  const here = event.target.closest?.(".tabs a");
  if (!here || !["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
  const all = [...here.parentElement.children];
  const at = all.indexOf(here);
  const next = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : (at + (event.key === "ArrowRight" ? 1 : -1) + all.length) % all.length;
  event.preventDefault();
  event.stopPropagation();
  all[next].focus();
}

// ---- finding -----------------------------------------------------------------------------------------------------------

function find(form) {
  if (!form) return;
  const input = form.querySelector("input[type=search]");
  const list = form.querySelector("[role=listbox]");
  let found = [];
  let at = -1;
  let asked = 0;
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (one) => {
    close();
    input.value = "";
    document.dispatchEvent(new CustomEvent("seek", { detail: one.select }));
    open(one.select);
  };
  const point = (to) => {
    at = found.length ? (to + found.length) % found.length : -1;
    [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === at)));
    if (at >= 0) {
      input.setAttribute("aria-activedescendant", `found-${at}`);
      list.children[at].scrollIntoView({ block: "nearest" });
    }
  };
  const ask = async () => {
    const word = input.value.trim();
    if (!word) return close();
    const mine = (asked += 1);
    const address = new URL(location.href);
    address.searchParams.set("part", "find");
    address.searchParams.set("find", word);
    const answer = await fetch(address).catch(() => null);
    if (!answer?.ok || mine !== asked) return;
    found = await answer.json();
    list.replaceChildren(...(found.length ? found.map(row) : [nothing()]));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    point(0);
  };
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      point(at + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Escape") {
      close();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (list.hidden) await ask();
    if (found[at]) choose(found[at]);
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const row = event.target.closest("[role=option]");
    if (row?.dataset.index) choose(found[Number(row.dataset.index)]);
  });
  input.addEventListener("blur", close);
}

function row(one, index) {
  const item = document.createElement("li");
  item.id = `found-${index}`;
  item.setAttribute("role", "option");
  item.dataset.index = index;
  item.textContent = one.name;
  return item;
}

function nothing() {
  const item = document.createElement("li");
  item.setAttribute("role", "option");
  item.setAttribute("aria-disabled", "true");
  item.textContent = t("found.none");
  return item;
}
