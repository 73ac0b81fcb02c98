// The panel of backups on the etcd page: save a snapshot on a host, take one in from outside, begin a new cluster with one, remove one.
// In: the page's live part, and how an act is done there (etcd_acts.js). Out: calls of the control API (etcd/snapshots, etcd/restore).

import { call } from "./control.js";
import { t } from "./words.js";

const BUMP = 1_000_000_000;
const FOLDER = "/var/lib/etcd-backup";
const MOST = 4 * 1024 * 1024;

export function start(live, { act, sent, refresh }) {
  const shown = async (sentence, work, outcome) => {
    await act(sentence, work, outcome);
    await refresh();
  };
  const at = (host, path) => `/etcd/snapshots/${encodeURIComponent(host)}?path=${encodeURIComponent(path)}`;

  live.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-save-snapshot], [data-remove-snapshot]");
    if (!button) return;
    const { saveSnapshot: member, removeSnapshot: path, host } = button.dataset;
    let saved = {};
    if (member) shown(() => t("b.saved", { path: saved.path, host: saved.host, revision: saved.revision }), async () => { saved = await sent("POST", "/etcd/snapshots", { member }); }, "ok");
    else shown(t("b.removed", { path, host }), () => sent("DELETE", at(host, path)), "error");
  });

  live.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-upload]")) event.preventDefault();
    if (!form.matches("[data-restore]")) return;
    event.preventDefault();
    const data = new FormData(form);
    const body = {
      host: form.dataset.host, path: form.dataset.path, members: data.getAll("member"), token: data.get("token"),
      bumpRevision: data.has("bump") ? BUMP : 0, restartControlPlane: data.has("control"),
    };
    if (!body.members.length) return shown("", () => { throw new Error(t("b.nobody")); });
    let made = {};
    shown(() => t("b.restored", { cluster: made.cluster, members: body.members.join(", "), revision: made.revision }), async () => {
      made = await sent("POST", "/etcd/restore", body);
      form.dataset.sent = "";
    });
  });

  live.addEventListener("change", (event) => {
    const input = event.target;
    const file = input.files?.[0];
    if (!file || !input.form?.matches("[data-upload]")) return;
    const host = new FormData(input.form).get("host");
    const path = `${FOLDER}/${file.name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[.]+/, "").replace(/([.]db)?$/, ".db").slice(-60)}`;
    shown(t("b.taken", { path, host }), async () => {
      if (file.size > MOST) throw new Error(t("b.large", { size: file.size }));
      await call("PUT", at(host, path), file);
      input.form.dataset.sent = "";
      input.value = "";
    }, "ok");
  });
}
