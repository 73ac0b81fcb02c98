// The list of lessons, and one to be read: beginning one makes a cluster and goes there.

import { ask } from "./control.js";
import { t } from "./words.js";

export function start() {
  const form = document.querySelector("[data-begin]");
  if (form) form.querySelector("button").disabled = false; // before, a click would only load the page anew
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [said, status, button] = ["[data-said]", "[data-status]", "button"].map((one) => form.querySelector(one));
    said.hidden = true;
    status.textContent = t("l.making");
    button.disabled = true;
    try {
      const made = await ask("POST", `/api/lessons/${encodeURIComponent(form.dataset.begin)}/start`, "{}");
      const kept = new URLSearchParams([...new URLSearchParams(location.search)].filter(([name]) => ["screen", "lang", "theme"].includes(name)));
      location.assign(made.href + (kept.size ? `${made.href.includes("?") ? "&" : "?"}${kept}` : ""));
    } catch (error) {
      said.hidden = false;
      said.textContent = t("l.failed", { why: error.message });
      status.textContent = "";
      button.disabled = false;
    }
  });
}
