// Sentences in the reader's language, taken from the page (templates/frame/words.html and the page's own words block), and short forms of times and names.
// t("raft.leader", {member: "m2", term: 3}) → "m2 leads in term 3."

const words = new Map();
for (const list of document.querySelectorAll("template.words")) for (const item of list.content.querySelectorAll("[data-k]")) words.set(item.dataset.k, item.textContent);

export function t(key, values = {}) {
  const pattern = words.get(key) ?? key;
  return settle(pattern.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? ""));
}

// Korean particles after a name: explainer/fragments/particles.py says how.
const FORMS = { "이(가)": ["이", "가"], "은(는)": ["은", "는"], "을(를)": ["을", "를"], "(으)로": ["으로", "로"] };
const FIGURES = [21, 8, 0, 16, 0, 0, 1, 8, 8, 0];

function settle(text) {
  if (document.documentElement.lang !== "ko") return text;
  return text.replace(/([0-9가-힣])(["')]?)(이\(가\)|은\(는\)|을\(를\)|\(으\)로)/g, (_, letter, quote, both) => {
    const final = letter <= "9" ? FIGURES[Number(letter)] : (letter.charCodeAt(0) - 0xac00) % 28;
    return letter + quote + FORMS[both][final && !(both === "(으)로" && final === 8) ? 0 : 1];
  });
}

// The world speaks English; its sentences are looked up in a table that is fetched when the first one is met in another language.
let table = null;

export async function told(text) {
  if (document.documentElement.lang.startsWith("en")) return { text };
  table ??= fetch("/sentences.json")
    .then((answer) => answer.json())
    .then((rows) => rows.map(([expression, sentence]) => [new RegExp(expression), sentence]))
    .catch(() => []);
  const plural = text.replace(/\b1 (rule|Pod|endpoint|object)\b/g, "1 $1s");
  for (const [expression, sentence] of await table) {
    const found = expression.exec(plural);
    if (found) return { text: settle(sentence.replace(/\{(\w+)\}/g, (_, name) => found.groups[name] ?? "")) };
  }
  return { text, lang: "en" };
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

export function size(bytes) {
  if (bytes == null) return "–";
  if (bytes < 1000) return `${bytes} B`;
  const [value, unit] = bytes < 1e6 ? [bytes / 1000, "kB"] : [bytes / 1e6, "MB"];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
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

// Where a page has a width and not a number of letters: the head's end gives way, the tail stays (names.parted).
export function parted(name, room) {
  if (name.length <= room) return [name, ""];
  const tail = name.length - name.lastIndexOf("-");
  const keep = name.includes("-") && tail <= 16 ? Math.max(tail, 8) : 12;
  return [name.slice(0, -keep), name.slice(-keep)];
}

export function partedUser(name) {
  const at = name.lastIndexOf(":") + 1;
  return at && name.length - at <= 16 ? [name.slice(0, at), name.slice(at)] : [name, ""];
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
