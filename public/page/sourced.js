// The text of an answer with its sources numbered below it, out of the message as it is copied: the
// list of sources that xnai/ui/markdown.py writes there.
const LIST = /\n\n\*\*([^*\n]{1,60})\*\*\n(?=- (?:\[\d{1,6}\] )+\*\*)/;
const ROW = /^- ((?:\[\d{1,6}\] )+)\*\*(.*?)\*\* — (.*)$/;
const ESCAPED = /\\([\\`*_{}[\]()#+\-!|<>~:$&.])/g;

function lines(row) {
  const [, numbers, place, quotes] = ROW.exec(row) ?? [];
  if (!numbers) return [];
  const plain = (words) => words.replace(ESCAPED, "$1");
  const said = [...quotes.matchAll(/“(.*?)”(?= “|$)/g)].map(([quote]) => plain(quote));
  return numbers
    .trim()
    .split(" ")
    .map((number, at) => `${number} ${plain(place)}${said[at] ? `: ${said[at]}` : ""}`);
}

export function withSources(message) {
  const [answer, title, list] = message.split(LIST);
  const rows = (list ?? "").split("\n");
  const end = rows.findIndex((row) => !ROW.test(row));
  const sources = rows.slice(0, end < 0 ? rows.length : end).flatMap(lines);
  return sources.length ? `${answer.trim()}\n\n${title}\n${sources.join("\n")}\n` : answer.trim();
}
