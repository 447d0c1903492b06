// What a model wrote, of what the page shows: see xnai/ui/links.py and xnai/ui/formulas.py.
const CITATIONS = /\[\[(\d{1,6})\]\]\(\/reader\/[^\s()"]{1,400} "(?:[^"\\]|\\.){0,2000}"\)/g;
const BLOCKS = /^([ \t]*)\$\$(\u2063{1,5})\n([^$]{1,4000})\$\$/gm;
const FORMULAS = /([\u2061\u2062])\$\$([^$]{1,4000})\$\$/g;
const INVISIBLE = /[\u2060-\u2063]/g;
const OPENING_ADDED = 1;
const CLOSING_ADDED = 2;
const OWN_DOLLARS = 4;

function block(_, indent, marks, formula) {
  const added = marks.length - 1;
  let words = formula;
  if (added & (OPENING_ADDED | OWN_DOLLARS)) words = words.startsWith(indent) ? words.slice(indent.length) : words;
  else words = `\n${words}`;
  if (added & (CLOSING_ADDED | OWN_DOLLARS)) words = (indent && words.endsWith(indent) ? words.slice(0, -indent.length) : words).slice(0, -1);
  return added & OWN_DOLLARS ? `${indent}$$${words}$$` : `${indent}\\[${words}\\]`;
}

export function asWritten(text) {
  return text
    .replace(CITATIONS, "[$1]")
    .replace(BLOCKS, block)
    .replace(FORMULAS, (_, mark, formula) => (mark === "\u2061" ? `\\(${formula}\\)` : `\\[${formula}\\]`))
    .replace(INVISIBLE, "");
}
