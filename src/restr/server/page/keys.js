// Theme, dialogs and single-key shortcuts. The shortcuts can be switched off, as they disturb speech input.

const $ = (id) => document.getElementById(id);

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage refused: it lasts as long as the page.
  }
}

export function theme() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => $("theme").setAttribute("aria-pressed", String(dark()));
  $("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remember("restr.theme", root.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  show();
}

/** actions: a key (`KeyboardEvent.key` in lower case) -> its function. */
export function shortcuts(actions) {
  const toggle = $("keys-on");
  try {
    toggle.checked = localStorage.getItem("restr.keys") !== "off";
  } catch {
    // Storage refused: they are on.
  }
  toggle.addEventListener("change", () => remember("restr.keys", toggle.checked ? "on" : "off"));
  $("open-keys").addEventListener("click", () => $("keys").showModal());
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
  }
  window.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.('input:not([type="range"], [type="radio"], [type="checkbox"]), textarea');
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    if (!toggle.checked || typing || modified || document.querySelector("dialog[open]")) return;
    const action = event.key === "?" ? () => $("keys").showModal() : actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
