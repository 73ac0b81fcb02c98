// A request's trace beside the console: the request's own page, without leaving this one. Its links to steps and to other requests stay in here.

import { cluster } from "./feed.js";
import { t } from "./words.js";

const WIDE = "(min-width: 900px)";

export function beside(dock) {
  const panel = dock.querySelector("[data-beside]");
  const body = panel.querySelector("[data-beside-body]");
  let address = "";
  let opener = null;

  async function open(href, title) {
    panel.hidden = false;
    panel.querySelector("[data-beside-title]").textContent = title;
    panel.querySelector("[data-beside-page]").href = href;
    address = href;
    if (!body.querySelector("[data-trace]")) body.replaceChildren(sentence(t("c.reading")));
    try {
      const answer = await fetch(href, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (address !== href) return;
      const trace = page.querySelector("[data-trace]");
      if (!trace) return body.replaceChildren(sentence(t("c.notrace")));
      dress(page);
      trim(trace);
      const scroll = body.scrollTop;
      body.replaceChildren(document.adoptNode(trace));
      body.scrollTop = scroll;
    } catch (error) {
      body.replaceChildren(sentence(t("failed", { why: error.message })));
    }
  }

  dock.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button || !matchMedia(WIDE).matches) return;
    const asked = link.getAttribute("href") ?? "";
    const inside = body.contains(link);
    const own = /\/requests\/(\d+)\//.exec(asked);
    if (link.dataset.traceOf || (inside && own && asked.startsWith(`/clusters/${cluster}/`))) {
      event.preventDefault();
      if (!inside) opener = link;
      const number = link.dataset.traceOf ?? own[1];
      body.replaceChildren();
      open(asked, t("c.request", { id: number })).then(() => body.focus());
    } else if (inside && asked.startsWith("#")) {
      event.preventDefault();
      body.querySelector(`#beside-${CSS.escape(asked.slice(1))}`)?.scrollIntoView({ block: "start" });
    } else if (inside && asked.startsWith("?")) {
      event.preventDefault();
      open(new URL(asked, new URL(address, location.href)).pathname + asked, panel.querySelector("[data-beside-title]").textContent);
    }
  });
  const shut = () => {
    panel.hidden = true;
    body.replaceChildren();
    (opener?.isConnected ? opener : dock.querySelector("#line")).focus();
  };
  panel.querySelector("[data-beside-close]").addEventListener("click", shut);
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    shut();
  });
  return { open };
}

function sentence(text) {
  const node = document.createElement("p");
  node.className = "second";
  node.textContent = text;
  return node;
}

// The page's own style sheets, once.
function dress(page) {
  for (const link of page.querySelectorAll("link[rel=stylesheet]")) {
    const href = link.getAttribute("href");
    if ([...document.querySelectorAll("link[rel=stylesheet]")].some((other) => other.getAttribute("href") === href)) continue;
    const own = document.createElement("link");
    own.rel = "stylesheet";
    own.href = href;
    document.head.append(own);
  }
}

// Names that stand once on a page are given once: headings keep theirs, under another prefix.
function trim(trace) {
  for (const node of trace.querySelectorAll("[id]")) node.id = `beside-${node.id}`;
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "for"]) {
    for (const node of trace.querySelectorAll(`[${name}]`)) {
      node.setAttribute(name, node.getAttribute(name).split(" ").map((id) => `beside-${id}`).join(" "));
    }
  }
  trace.querySelectorAll("script, template").forEach((node) => node.remove());
  trace.querySelectorAll("h1").forEach((heading) => heading.setAttribute("aria-level", "3"));
}
