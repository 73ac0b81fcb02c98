// Calls of the control API. Answers JSON; an error's sentence is thrown as it came.

import { cluster } from "./feed.js";

const token = () => document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";

export async function call(method, path, body, options = {}) {
  const response = await fetch(`/api/clusters/${encodeURIComponent(cluster)}${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRFToken": token(), ...options.headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: options.signal,
  });
  if (!response.ok) {
    let sentence = `${response.status} ${response.statusText}`;
    try {
      sentence = (await response.json()).error ?? sentence;
    } catch {
      // No JSON: the status line is all there is.
    }
    throw new Error(sentence);
  }
  if (options.raw) return response;
  const text = await response.text();
  return text ? JSON.parse(text) : {};
}
