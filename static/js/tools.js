// The map's tools: zoom, the knife (knife.js), names on every message, and the key plan beside the title block while one is close (keyplan.js).
// Each comes with a button and a letter; what few need is loaded when it is first asked for.

let map = null;
let plan = null;
let cutting = null;

export function start(parts) {
  map = parts;
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => map.view.button(button.dataset.zoom));
  for (const button of document.querySelectorAll("[data-tool]")) button.addEventListener("click", () => use(button.dataset.tool));
  map.stage.addEventListener("keydown", (event) => event.key === "Escape" && cutting?.on && use("cut"));
  map.view.changed(near);
  near(map.view);
}

// Another drawing, with all the same in hand.
export function adopt() {
  plan?.adopt();
}

export function key(letter) {
  const name = { k: "cut", n: "names" }[letter];
  if (name) use(name);
  return Boolean(name);
}

async function use(name) {
  const button = document.querySelector(`[data-tool="${name}"]`);
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  if (name === "names") return map.flights.name(on);
  cutting ??= (await import("./knife.js")).knife(map);
  return cutting.set(on);
}

async function near(view) {
  const close = view.k > 1.001;
  if (close && !plan) {
    plan = { adopt() {}, show() {} };
    plan = (await import("./keyplan.js")).keyplan(map);
  }
  plan?.show();
}
