// The style page: its dialog opens, its tabs move by arrow keys.

export function start() {
  for (const button of document.querySelectorAll("[data-show]")) button.addEventListener("click", () => document.getElementById(button.dataset.show).showModal());
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const choose = (tab) => {
    for (const one of tabs) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
    }
    tab.focus();
  };
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: tabs[(i + 1) % tabs.length], ArrowLeft: tabs.at(i - 1), Home: tabs[0], End: tabs.at(-1) }[event.key];
      if (!to) return;
      event.preventDefault();
      choose(to);
    });
  }
}
