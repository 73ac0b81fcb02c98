// Two moments side by side: the same differences as a list of fields or as YAML.

export function start() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-form-of]");
    if (!button) return;
    const yaml = button.dataset.formOf === "yaml";
    for (const other of document.querySelectorAll("[data-form-of]")) other.setAttribute("aria-pressed", String(other === button));
    for (const part of document.querySelectorAll(".as-list")) part.hidden = yaml;
    for (const part of document.querySelectorAll(".as-yaml")) part.hidden = !yaml;
  });
}

export const moved = () => {};
