// Sentences in the reader's language, taken from the page (templates/frame/words.html), and short forms of times and names.
// t("raft.leader", {member: "m2", term: 3}) → "m2 leads in term 3."

const words = new Map();
for (const item of document.getElementById("words")?.content.querySelectorAll("[data-k]") ?? []) words.set(item.dataset.k, item.textContent);

export function t(key, values = {}) {
  const pattern = words.get(key) ?? key;
  return pattern.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const has = (key) => words.has(key);

export function instant(micros) {
  const whole = Math.max(0, Math.floor(micros));
  const seconds = Math.floor(whole / 1e6);
  const two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${String(Math.floor((whole % 1e6) / 1000)).padStart(3, "0")}`;
}

export function span(micros) {
  if (micros == null) return "–";
  if (micros < 1000) return `${Math.round(micros)} µs`;
  const [value, unit] = micros < 1e6 ? [micros / 1000, "ms"] : [micros / 1e6, "s"];
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}

export function speed(rate) {
  if (typeof rate === "string") return rate;
  return rate >= 1 ? `×${rate}` : `×1/${Math.round(1 / rate)}`;
}

// The suffix is the part that differs between two pods of one owner, so the middle goes.
export function cut(name, room) {
  if (name.length <= room) return name;
  if (room <= 2) return name.slice(-room);
  const tail = name.length - name.lastIndexOf("-");
  const keep = name.includes("-") && tail + 2 <= room ? tail : Math.floor((room - 1) / 2);
  return `${name.slice(0, room - 1 - keep)}…${name.slice(-keep)}`;
}

export function who(event) {
  const user = event.user || event.client || "?";
  const account = /^system:serviceaccount:([^:]+):(.+)$/.exec(user);
  if (account) return account[1] === "kube-system" ? account[2] : t("account", { name: `${account[1]}/${account[2]}` });
  return user.replace(/^outside:/, "");
}

export function what(event) {
  if (!event.resource) return event.path;
  const thing = event.name ? `${event.resource}/${event.name}` : event.resource;
  return event.namespace ? `${thing} (${event.namespace})` : thing;
}
