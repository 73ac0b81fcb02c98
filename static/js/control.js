// Calls of the control API. Answers JSON; an error's sentence is thrown as it came.
//
// While the page shows a past moment, readings are of that moment, and acts on the live cluster are not sent: what one would do to
// a picture of the past one does to a fork of it. `InThePast` carries the act; the frame offers the fork.

import { cluster, past } from "./feed.js";
import { t } from "./words.js";

const token = () => document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";

// What takes a moment, and what may be done from any moment.
const READING = /^\/(requests|etcd\/members|views|objects|nodes\/[^/]+\/rules|clock)/;
const ANYTIME = /^\/(history|fork|bookmarks|compare|import)/;

export class InThePast extends Error {
  constructor(method, path, body) {
    super(t("past.acts"));
    this.act = { method, path, body };
  }
}

export async function call(method, path, body, options = {}) {
  let address = path;
  if (past() && !options.live) {
    if (method !== "GET" && !ANYTIME.test(path)) {
      const refused = new InThePast(method, path, body);
      document.dispatchEvent(new CustomEvent("act-in-the-past", { detail: refused.act }));
      throw refused;
    }
    if (method === "GET" && READING.test(path)) address += `${path.includes("?") ? "&" : "?"}at=${document.body.dataset.at}`;
  }
  return ask(method, `/api/clusters/${encodeURIComponent(options.cluster ?? cluster)}${address}`, body === undefined || body instanceof Blob ? body : JSON.stringify(body), options);
}

export async function ask(method, address, body, options = {}) {
  const response = await fetch(address, {
    method,
    headers: { "Content-Type": body instanceof Blob ? "application/octet-stream" : "application/json", "X-CSRFToken": token(), ...options.headers },
    body,
    signal: options.signal,
  });
  if (!response.ok) {
    let sentence = `${response.status} ${response.statusText}`;
    try {
      sentence = (await response.json()).error ?? sentence;
    } catch {
      // No JSON: the status line is all there is.
    }
    throw Object.assign(new Error(sentence), { status: response.status });
  }
  if (options.raw) return response;
  const text = await response.text();
  return text ? JSON.parse(text) : {};
}
