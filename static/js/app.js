// The one script of a page: connects the feed, starts the frame, and loads what this page needs.

import { connect, on } from "./feed.js";
import * as frame from "./frame.js";

document.documentElement.classList.add("js");

frame.start();
const script = document.body.dataset.script;
if (script) (await import(`./${script}.js`)).start();
if (document.querySelector("[data-tape]")) (await import("./tape.js")).start();

// Parts of the page that bring a script of their own: the dock, the stops, the guide.
for (const part of document.querySelectorAll("[data-module]")) (await import(`./${part.dataset.module}.js`)).start(part);

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
