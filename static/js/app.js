// The one script of a page: connects the feed, starts the frame, and loads what this page needs.

import { connect, on } from "./feed.js";
import * as frame from "./frame.js";

document.documentElement.classList.add("js");

frame.start();
const script = document.body.dataset.script;
if (script) (await import(`./${script}.js`)).start();
if (document.querySelector("[data-tape]")) (await import("./tape.js")).start();

// The console is loaded when somebody opens it.
const dock = document.querySelector("[data-console]");
if (dock) {
  const open = async () => (await import("./console.js")).start(dock);
  dock.addEventListener("toggle", () => dock.open && open());
  dock.querySelector("[data-console-form]").addEventListener("submit", async (event) => {
    event.preventDefault();
    (await open()).run();
  });
  document.addEventListener("click", async (event) => {
    const typed = event.target.closest?.("[data-type]");
    if (!typed) return;
    dock.open = true;
    (await import("./console.js")).start(dock).type(typed.dataset.type);
  });
}

// A page that was drawn while the simulation did not answer is drawn anew as soon as it does.
if ("problem" in document.body.dataset) {
  setInterval(async () => {
    const answer = await fetch(`/api/clusters/${encodeURIComponent(document.body.dataset.cluster)}/clock`).catch(() => null);
    if (answer?.ok) location.reload();
  }, 2000);
}

on("gone", () => location.reload());
connect();
document.documentElement.dataset.ready = "";
