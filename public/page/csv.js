// A table as CSV (RFC 4180), which a spreadsheet may open: what it would take for a formula is text.
const FORMULA = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;
const NUMBER = /^[+-]?\d[\d.,'\u00a0\u202f]*(?:e[+-]?\d{1,3})?%?$/i;
const QUOTED = /["\r\n,;\t]|^\s|\s$/;

function field(text) {
  const words = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return QUOTED.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
}

export const asCsv = (rows) => rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");

// Of a formula that was set, what was written; the page holds it twice.
function words(cell) {
  const copy = cell.cloneNode(true);
  for (const formula of copy.querySelectorAll(".katex")) {
    formula.replaceWith(formula.querySelector("annotation")?.textContent ?? "");
  }
  copy.querySelectorAll("br").forEach((end) => end.replaceWith("\n"));
  return copy.textContent.trim();
}

export const rowsOf = (table) => [...table.rows].map((row) => [...row.cells].map(words));
