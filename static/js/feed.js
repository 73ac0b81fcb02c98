// The cluster's feed: one websocket, a cursor, and the simulated clock as the page knows it.
// Frames: {cursor, nowMicros, rate, paused, revision, watching?, waiting?, events: [{t, …}]}. A lost connection says so and
// comes back from its cursor; {gone: true} means the stream was trimmed meanwhile and the page must read everything anew.

const listeners = new Map();
const body = document.body.dataset;

export const cluster = body.cluster;
export const clock = { nowMicros: Number(body.now ?? 0), rate: rate(body.rate ?? "1"), paused: body.paused === "1", at: performance.now() };
export let connected = false;

let socket = null;
let cursor = null;
let wait = 250;
let heard = performance.now();

function rate(text) {
  return text === "max" ? "max" : Number(text);
}

export function now() {
  if (clock.paused || typeof clock.rate !== "number" || !connected) return clock.nowMicros;
  // Never more than a second ahead of what the cluster has told: the clock is its, not ours.
  return clock.nowMicros + Math.min(performance.now() - clock.at, 1000) * 1000 * clock.rate;
}

// on("request", fn) for events by kind; on("frame", fn), on("lost", fn), on("back", fn), on("gone", fn) for the connection itself.
export function on(kind, listener) {
  if (!listeners.has(kind)) listeners.set(kind, []);
  listeners.get(kind).push(listener);
}

export function emit(kind, value) {
  for (const listener of listeners.get(kind) ?? []) listener(value);
}

export function setClock(facts) {
  if (facts.nowMicros != null) clock.nowMicros = facts.nowMicros;
  if (facts.rate != null) clock.rate = facts.rate;
  if (facts.paused != null) clock.paused = facts.paused;
  clock.at = performance.now();
  emit("clock", clock);
}

function take(frame) {
  if ("presenter" in frame) {
    emit("presenter", frame.presenter);
    return;
  }
  if (frame.gone) {
    cursor = null;
    emit("gone", frame);
    return;
  }
  if (frame.cursor != null) cursor = frame.cursor;
  setClock(frame);
  emit("frame", frame);
  const events = frame.events ?? [];
  // Requests first: they tell which causes belong to somebody outside, before the flights that descend from them are drawn.
  for (const event of events) if (event.t === "request") emit("request", event);
  for (const event of events) if (event.t !== "request") emit(event.t, event);
  emit("done", frame);
}

export function connect() {
  if (!cluster) return;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws/clusters/${encodeURIComponent(cluster)}?after=wait`);
  const mine = socket;
  const back = () => {
    if (connected || mine !== socket) return;
    connected = true;
    wait = 250;
    clock.at = performance.now();
    document.documentElement.dataset.live = "";
    emit("back");
  };
  socket.onopen = () => {
    mine.send(JSON.stringify({ after: cursor }));
    // A door that opens and shuts at once is not open: a quiet cluster sends nothing, so silence for a moment means yes.
    setTimeout(() => mine.readyState === WebSocket.OPEN && back(), 400);
  };
  socket.onmessage = (message) => {
    back();
    heard = performance.now();
    take(JSON.parse(message.data));
  };
  socket.onclose = () => {
    if (mine !== socket) return;
    const was = connected;
    clock.nowMicros = now();
    connected = false;
    delete document.documentElement.dataset.live;
    emit("lost", was);
    setTimeout(connect, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 1.7, 5000);
  };
}

// A cluster that runs but says nothing for a while: ask for its clock, so that neither the clock nor the strip is wrong.
const SILENCE_MS = 4000;

setInterval(async () => {
  if (!cluster || document.hidden || clock.paused || !connected || performance.now() - heard < SILENCE_MS) return;
  heard = performance.now();
  try {
    const answer = await fetch(`/api/clusters/${encodeURIComponent(cluster)}/clock`, { signal: AbortSignal.timeout(3000) });
    if (!answer.ok) throw new Error(String(answer.status));
    setClock(await answer.json());
  } catch {
    socket?.close();
  }
}, 1000);
