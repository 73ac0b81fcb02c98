// The line between a presenter's window and the projector's windows on the same machine: a BroadcastChannel per cluster.
// The projector says {kind: "shows", url, title, caption, next, at, blank, picture?}; the presenter says {kind: "want"}, {kind: "go", url},
// {kind: "key", name: next | back | toggle | blank}.

export function line(cluster, hear) {
  const channel = new BroadcastChannel(`clearplane:${cluster}`);
  channel.onmessage = (message) => hear(message.data ?? {});
  return (what) => channel.postMessage(what);
}

// The same page, whatever sheet and language one looks at it on.
const began = location.href;
const OWN = ["screen", "theme", "lang", "autopilot", "follow"];

export function bare(address) {
  const url = new URL(address, location.origin);
  for (const name of OWN) url.searchParams.delete(name);
  url.searchParams.sort();
  return `${url.pathname}${url.search}`;
}

// An address with this window's own sheet and language.
export function dressed(address, from = began) {
  const url = new URL(bare(address), location.origin);
  const own = new URL(from).searchParams;
  for (const name of OWN) if (own.has(name)) url.searchParams.set(name, own.get(name));
  return `${url.pathname}${url.search}`;
}

// Whether the way from here to there is only another stage of the request that is on the page already; if so, it is taken.
export function stepTo(address) {
  const [here, there] = [new URL(bare(location.href), location.origin), new URL(bare(address), location.origin)];
  const step = there.searchParams.get("step") ?? "1";
  here.searchParams.delete("step");
  there.searchParams.delete("step");
  if (here.href !== there.href) return false;
  const link = document.querySelector(`[data-step="${CSS.escape(step)}"]`);
  link?.click();
  return Boolean(link);
}
