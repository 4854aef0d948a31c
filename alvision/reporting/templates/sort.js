// Tables of class "sortable": a click on a column's head sorts by it, a second one turns it round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, place) => {
    const cell = row.cells[place];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const amount = Number(text);
    return text === "" || text === "–" ? null : Number.isNaN(amount) ? text : amount;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return 0;
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  };
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [value(row, place), row]);
      rows.sort(([a], [b]) => (a === null) - (b === null) || (down ? -compare(a, b) : compare(a, b)));
      body.append(...rows.map(([, row]) => row));
    });
  });
}
