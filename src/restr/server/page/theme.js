// Set before the first paint, so that a chosen theme never flashes; without a choice the system decides.
try {
  const chosen = localStorage.getItem("restr.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage can be refused; then the system's setting holds.
}
