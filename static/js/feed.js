// The cluster's feed: one websocket, a cursor, and two clocks. `live` is the running cluster's; `clock` is that of the moment the page shows.
// Frames: {cursor, nowMicros, rate, paused, revision, watching?, waiting?, stopped?, held?, events: [{t, …}]}. A lost connection says so and
// comes back from its cursor; {gone: true} means the stream was trimmed meanwhile and the page must read everything anew.
//
// While the page shows a past moment, what happens now must not be painted into it: `on` listeners (the pages') hear nothing,
// `onLive` listeners (the frame's: tape, lost connection) hear everything.

const pages = new Map();
const frames = new Map();
const body = document.body.dataset;

export const cluster = body.cluster;
export const live = { ...facts("live"), at: performance.now() };
export const clock = { ...facts(""), at: performance.now() };
export let connected = false;

let socket = null;
let cursor = body.cursor || null;
let wait = 250;
let heard = performance.now();
let silence = 0;
let held = body.at === undefined ? null : [];

function facts(prefix) {
  const read = (name) => body[prefix ? `${prefix}${name}` : name[0].toLowerCase() + name.slice(1)];
  return { nowMicros: Number(read("Now") ?? 0), rate: rate(read("Rate") ?? "1"), paused: read("Paused") === "1" };
}

function rate(text) {
  return text === "max" ? "max" : Number(text);
}

export const past = () => body.at !== undefined;

export function now(which = clock) {
  if (which.paused || typeof which.rate !== "number" || !connected) return which.nowMicros;
  // Never more than a second ahead of what the cluster has told: the clock is its, not ours.
  return which.nowMicros + Math.min(performance.now() - which.at, 1000) * 1000 * which.rate;
}

function add(map, kind, listener) {
  if (!map.has(kind)) map.set(kind, []);
  map.get(kind).push(listener);
}

// on("request", fn) for events by kind; on("frame", fn), on("clock", fn), on("back", fn), on("done", fn).
export const on = (kind, listener) => add(pages, kind, listener);
export const onLive = (kind, listener) => add(frames, kind, listener);

function emit(kind, value) {
  for (const listener of frames.get(kind) ?? []) listener(value);
  if (!past()) for (const listener of pages.get(kind) ?? []) listener(value);
}

export function setClock(told) {
  for (const name of ["nowMicros", "rate", "paused"]) if (told[name] != null) live[name] = told[name];
  live.at = performance.now();
  if (!past()) Object.assign(clock, live);
  watchSilence();
  emit("clock", clock);
}

// The page now shows another moment (static/js/moment.js has put its facts on <body>).
export function moved() {
  Object.assign(clock, facts(""), { at: performance.now() });
  if (past()) held ??= [];
  else {
    const from = Number(body.cursor || 0);
    const missed = (held ?? []).filter((frame) => Number(frame.cursor) > from);
    held = null;
    Object.assign(clock, live);
    // What happened between the drawing of this page and now. Frames that are not at hand are asked for again.
    if (from && missed.length && Number(missed[0].cursor) > from + 1) again(body.cursor);
    else for (const frame of missed) tell(frame, pages);
  }
  emit("clock", clock);
}

const HELD = 200;

// Frames are kept for the page from now on, because another page of the present is on its way; or it did not come.
export function hold() {
  held ??= [];
}

export function release() {
  if (past()) return;
  const missed = held ?? [];
  held = null;
  for (const frame of missed) tell(frame, pages);
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
  if (frame.cursor != null) {
    // A frame that has been told is not told twice, whatever the line between does.
    if (cursor != null && Number(frame.cursor) <= Number(cursor)) return;
    cursor = frame.cursor;
  }
  if (held) {
    held.push(frame);
    if (held.length > HELD) held.shift();
  }
  setClock(frame);
  tell(frame, frames);
  if (!held) tell(frame, pages);
}

function tell(frame, listeners) {
  const say = (kind, value) => {
    for (const listener of listeners.get(kind) ?? []) listener(value);
  };
  say("frame", frame);
  const events = frame.events ?? [];
  // Requests first: they tell which causes belong to somebody outside, before the flights that descend from them are drawn.
  for (const event of events) if (event.t === "request") say("request", event);
  for (const event of events) if (event.t !== "request") say(event.t, event);
  say("done", frame);
}

// Read on from another place in the stream.
export function again(from) {
  cursor = from || null;
  const old = socket;
  connect();
  old?.close();
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
    clock.at = live.at = performance.now();
    document.documentElement.dataset.live = "";
    watchSilence();
    emit("back");
  };
  socket.onopen = () => {
    mine.send(JSON.stringify({ after: cursor }));
    // A door that opens and shuts at once is not open: a quiet cluster sends nothing, so silence for a moment means yes.
    setTimeout(() => mine.readyState === WebSocket.OPEN && back(), 400);
  };
  socket.onmessage = (message) => {
    if (mine !== socket) return;
    back();
    heard = performance.now();
    take(JSON.parse(message.data));
  };
  socket.onclose = (event) => {
    if (mine !== socket) return;
    const was = connected;
    live.nowMicros = now(live);
    if (!past()) clock.nowMicros = live.nowMicros;
    connected = false;
    delete document.documentElement.dataset.live;
    emit("lost", { was, forgotten: event.code === 4404 });
    setTimeout(connect, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 1.7, 5000);
  };
}

// A cluster that runs but says nothing for a while: ask for its clock, so that neither the clock nor the strip is wrong.
// Nothing is asked while the clock stands.
const SILENCE_MS = 4000;

function watchSilence() {
  if (silence || live.paused || !connected) return;
  silence = setTimeout(ask, SILENCE_MS);
}

async function ask() {
  silence = 0;
  if (document.hidden || live.paused || !connected || performance.now() - heard < SILENCE_MS) {
    watchSilence();
    return;
  }
  heard = performance.now();
  try {
    const answer = await fetch(`/api/clusters/${encodeURIComponent(cluster)}/clock`, { signal: AbortSignal.timeout(3000) });
    if (!answer.ok) throw new Error(String(answer.status));
    setClock(await answer.json());
  } catch {
    socket?.close();
  }
}
