// The list of clusters: make one, read one from a file, delete one. Each is one call of the control API.

import { ask } from "./control.js";
import { t } from "./words.js";

const one = (selector, root = document) => root.querySelector(selector);

export function start() {
  const make = one("[data-new]");
  const topology = one("[data-topology]");
  const shown = () => {
    one("[data-external]").hidden = topology.value === "stacked";
    for (const part of document.querySelectorAll("[data-whole]")) part.hidden = topology.value === "bare";
  };
  topology.addEventListener("change", shown);
  shown(); // a form that the browser filled in again
  make.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = asked(new FormData(make));
    send(make, t("making", { name: body.name }), () => ask("POST", "/api/clusters", JSON.stringify(body)));
  });
  const load = one("[data-import]");
  load.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(load);
    const name = data.get("name");
    send(load, t("importing"), () => ask("POST", `/api/import${name ? `?name=${encodeURIComponent(name)}` : ""}`, data.get("file"), { headers: { "Content-Type": "application/octet-stream" } }));
  });
  deleting();
}

// What the control API is asked for: only what matters to such a cluster.
function asked(data) {
  const number = (name) => Number(data.get(name));
  const pair = (name) => data.getAll(name).map(Number);
  const topology = data.get("topology");
  const body = {
    name: data.get("name"), seed: number("seed"), paused: data.has("paused"), heartbeatMs: number("heartbeatMs"), electionMs: number("electionMs"),
    linkMs: pair("linkMs"), fsyncMs: pair("fsyncMs"), preVote: data.has("preVote"), checkQuorum: data.has("checkQuorum"),
  };
  if (topology !== "stacked") body.etcdMembers = number("etcdMembers");
  if (topology === "bare") return { ...body, bare: true };
  return {
    ...body, topology, controlPlanes: number("controlPlanes"), workers: number("workers"), proxyMode: data.get("proxyMode"),
    registerControlPlane: data.has("registerControlPlane"), legacyServiceAccountTokens: data.has("legacyServiceAccountTokens"),
  };
}

async function send(form, words, work) {
  const [said, status, button] = [one("[data-said]", form), one("[data-status]", form), one("button", form)];
  said.hidden = true;
  status.textContent = words;
  button.disabled = true;
  try {
    const made = await work();
    location.assign(`/clusters/${encodeURIComponent(made.name)}/${made.bare ? "etcd/" : ""}`);
  } catch (error) {
    said.hidden = false;
    said.textContent = t("failed", { why: error.message });
    status.textContent = "";
    button.disabled = false;
  }
}

function deleting() {
  const dialog = one("[data-delete-dialog]");
  const said = one("[data-said]", dialog);
  let name = "";
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-delete]");
    if (!button) return;
    name = button.dataset.delete;
    said.hidden = true;
    one("h2", dialog).textContent = t("delete.title", { name });
    dialog.showModal();
    one("[data-close]", dialog).focus();
  });
  dialog.addEventListener("click", async (event) => {
    if (event.target.closest("[data-close]")) dialog.close();
    if (!event.target.closest("[data-delete-yes]")) return;
    try {
      await ask("DELETE", `/api/clusters/${encodeURIComponent(name)}`);
      dialog.close();
      location.reload();
    } catch (error) {
      said.hidden = false;
      said.textContent = t("failed", { why: error.message });
    }
  });
}
