// The one script of a page: connects the feed, starts the frame, and loads what this page needs.

import { cluster, connect, hold, onLive } from "./feed.js";
import * as frame from "./frame.js";
import * as moment from "./moment.js";

document.documentElement.classList.add("js");

const script = document.body.dataset.script;
const page = script ? await import(`./${script}.js`) : {};
moment.start({ script, moved: page.moved, keeps: page.keeps });
frame.start();
page.start?.();
if (document.querySelector("[data-tape]")) (await import("./tape.js")).start();

// Parts of the page that bring a script of their own: the dock, the stops, the guide.
for (const part of document.querySelectorAll("[data-module]")) (await import(`./${part.dataset.module}.js`)).start(part);

// A page that was drawn while the simulation, or its past, did not answer is drawn anew as soon as that does.
async function answers() {
  const at = document.body.dataset.at ? `?at=${encodeURIComponent(document.body.dataset.at)}` : "";
  const answer = await fetch(`/api/clusters/${encodeURIComponent(cluster)}/clock${at}`).catch(() => null);
  if (answer?.ok || (at && answer?.status === 404)) location.reload();
  else setTimeout(answers, 2000);
}
if ("problem" in document.body.dataset) setTimeout(answers, 2000);

// The stream was trimmed while this page was away: everything is read anew, in place.
onLive("gone", () => {
  hold();
  moment.reread();
});
// Somebody presents: whoever watches may follow.
let follow = null;
onLive("presenter", async (found) => {
  if (found || follow) (await (follow ??= import("./follow.js"))).hear(found);
});
connect();
document.documentElement.dataset.ready = "";
