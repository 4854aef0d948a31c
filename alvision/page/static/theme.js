// Runs before the first paint, so that the page never flashes in the wrong colours.
try {
  const theme = localStorage.getItem("alvision.theme");
  if (theme && theme !== "auto") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that refuses to keep settings follows the system's colours.
}
