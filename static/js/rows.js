// A long list of rows of one height, of which only those near the view stand in the document: laying out a thousand cells for every request
// that is answered takes longer than the answer. In: the table's body as the server drew it. Out: all() its rows in order, which its owner
// changes in place and then calls place(); rows that are not near the view are put aside, and two empty rows hold their room.

const BEYOND = 3; // rows more than one sees, on either side: the next Tab or arrow finds its row

let body = null;
let rows = [];
let tall = 0;
let before, after;

export const all = () => rows;
export const top = () => rows[0];
export const find = (id) => rows.find((tr) => tr.dataset.id === String(id));

export function adopt(found) {
  body = found;
  rows = found ? [...found.children].filter((tr) => tr.dataset.id) : [];
  tall = 0;
  [before, after] = [room(), room()];
  // Nothing but rows: a row that stands where it should is not put there again, which would take the focus and the click from it.
  for (const node of [...(found?.childNodes ?? [])]) if (node.nodeType === Node.TEXT_NODE) node.remove();
  place();
}

// Another row in the place of one.
export function at(old, made) {
  const index = rows.indexOf(old);
  if (index >= 0) rows[index] = made;
  if (old.isConnected) old.replaceWith(made);
}

export function rowHeight() {
  if (!tall) {
    const [first, second] = [...(body?.querySelectorAll("tr[data-id]") ?? [])].slice(0, 2).map((tr) => tr.getBoundingClientRect());
    tall = second ? second.top - first.top : (first?.height ?? 0);
  }
  return tall || 33;
}

// From which row to which one sees: all are as tall, so a little arithmetic tells.
function inView() {
  const start = body.getBoundingClientRect().top;
  const sheet = body.closest(".sheet-col")?.getBoundingClientRect() ?? { top: 0, bottom: innerHeight };
  const from = Math.floor((Math.max(sheet.top, 0) - start) / rowHeight());
  const to = Math.ceil((Math.min(sheet.bottom, innerHeight) - start) / rowHeight());
  const within = (index) => Math.min(Math.max(index, 0), rows.length);
  return [within(Math.min(from, rows.length - 1)), within(Math.max(to, 1))];
}

export function seen() {
  if (!body || !rows.length) return [];
  return rows.slice(...inView());
}

// Put into the document what one sees and a little more, and take out the rest.
export function place() {
  if (!body || !rows.length) return;
  const [from, to] = inView();
  show(Math.max(from - BEYOND, 0), Math.min(to + BEYOND, rows.length));
}

function show(from, to) {
  const wanted = rows.slice(from, to);
  const stay = new Set(wanted);
  const focused = document.activeElement?.closest("[data-rows] tr");
  for (const tr of [...body.children]) {
    if (stay.has(tr) || tr === before || tr === after) continue;
    if (tr === focused) document.querySelector("#main").focus({ preventScroll: true });
    tr.remove();
  }
  hold(before, from, (node) => body.prepend(node));
  let last = before.isConnected ? before : null;
  wanted.forEach((tr, index) => {
    const next = last ? last.nextSibling : body.firstChild;
    if (tr !== next) body.insertBefore(tr, next);
    tr.setAttribute("aria-rowindex", from + index + 2);
    last = tr;
  });
  hold(after, rows.length - to, (node) => body.append(node));
  body.parentElement.setAttribute("aria-rowcount", rows.length + 1);
}

function hold(node, count, put) {
  if (!count) return node.remove();
  node.firstChild.style.height = `${count * rowHeight()}px`;
  return put(node);
}

function room() {
  const tr = document.createElement("tr");
  tr.className = "room";
  tr.setAttribute("aria-hidden", "true");
  tr.append(document.createElement("td")); // one column: how many there are depends on the width
  return tr;
}

// A row's link, after the row was brought into the document and the view.
export function near(tr) {
  const index = rows.indexOf(tr);
  if (index < 0) return null;
  if (!tr.isConnected) {
    const [from, to] = inView();
    const count = to - from + BEYOND;
    show(Math.max(index - count, 0), Math.min(index + count, rows.length));
  }
  return tr.querySelector(".path a");
}
