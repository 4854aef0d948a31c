// Runs before the first paint, so that the page never flashes in the wrong colours.
try {
  const theme = localStorage.getItem("alvision.theme");
  if (theme && theme !== "auto") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system's colours.
}
