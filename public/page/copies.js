// A copy has the words alone: no characters that break links, and citations as [1].
const JOINERS = /\u2060/g;
const CITATIONS = /\[\[(\d{1,6})\]\]\(\/reader\/[^\s()"]{1,400} "(?:[^"\\]|\\.){0,2000}"\)/g;

const plain = (text) => text.replace(CITATIONS, "[$1]").replace(JOINERS, "");

document.addEventListener("copy", (event) => {
  const text = String(window.getSelection());
  if (event.defaultPrevented || !text.includes("\u2060")) return;
  event.clipboardData.setData("text/plain", plain(text));
  event.preventDefault();
});

async function withoutJoiners(item) {
  const clean = item.types
    .filter((type) => type.startsWith("text/"))
    .map(async (type) => {
      const text = plain(await (await item.getType(type)).text());
      return [type, new Blob([text], { type })];
    });
  return clean.length < item.types.length
    ? item
    : new ClipboardItem(Object.fromEntries(await Promise.all(clean)));
}

if (navigator.clipboard) {
  const writeText = navigator.clipboard.writeText.bind(navigator.clipboard);
  const write = navigator.clipboard.write.bind(navigator.clipboard);
  navigator.clipboard.writeText = (text) => writeText(plain(String(text)));
  navigator.clipboard.write = async (items) => write(await Promise.all(items.map(withoutJoiners)));
}
