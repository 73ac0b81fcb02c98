// Which of the messages on the ring are labelled: as many as do not cover each other, a member, or what is written on a way. Of two labels that would cover
// each other the later one waits, and its mark stays; what is pointed at or has the focus comes first.
// In: {tag, mark, bare, x, y, size: {w, h}} in the ring's units, w and h half a label's width and height. Out: which of tag and mark is displayed.

const MARK = 9;
const MARGIN = 5;
const BODY = 40;

// What is labelled already needs less room to stay than another to become it, so that nothing flickers.
export function arrange(all, { members, notes, first }) {
  const rank = (one) => (first && one.node.dataset.msg === first ? 0 : one.bare ? 2 : 1);
  const placed = [];
  for (const [at, one] of all.map((one) => [rank(one), one]).sort((a, b) => a[0] - b[0])) {
    const margin = one.bare ? MARGIN : 0;
    const box = { x: one.x, y: one.y, w: one.size.w + margin, h: one.size.h + margin };
    const free = at === 0 || !(placed.some((other) => meet(box, other)) || notes.some((other) => meet(box, other))
      || all.some((other) => other !== one && meet(box, { x: other.x, y: other.y, w: MARK, h: MARK })) || members.some((member) => touches(box, member)));
    if (free) placed.push(box);
    label(one, !free);
  }
}

export function label(mover, bare) {
  if (mover.bare === bare) return;
  mover.bare = bare;
  mover.mark.setAttribute("display", bare ? "inline" : "none");
  mover.tag.setAttribute("display", bare ? "none" : "inline");
}

const meet = (a, b) => Math.abs(a.x - b.x) < a.w + b.w && Math.abs(a.y - b.y) < a.h + b.h;

// Whether a box covers a part of a member: the nearest point of the box is inside of its circle.
function touches(box, { x, y, scale }) {
  const [dx, dy] = [Math.max(Math.abs(box.x - x) - box.w, 0), Math.max(Math.abs(box.y - y) - box.h, 0)];
  return Math.hypot(dx, dy) < BODY * scale;
}
