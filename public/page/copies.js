// A copy has the words alone: no characters that break links, and citations as [1].
import { asWritten } from "./written.js";

const INVISIBLE = /[\u2060-\u2063]/;

document.addEventListener("copy", (event) => {
  const text = String(window.getSelection());
  if (event.defaultPrevented || !INVISIBLE.test(text)) return;
  event.clipboardData.setData("text/plain", asWritten(text));
  event.preventDefault();
});

async function withoutMarks(item) {
  const clean = item.types
    .filter((type) => type.startsWith("text/"))
    .map(async (type) => {
      const text = asWritten(await (await item.getType(type)).text());
      return [type, new Blob([text], { type })];
    });
  return clean.length < item.types.length
    ? item
    : new ClipboardItem(Object.fromEntries(await Promise.all(clean)));
}

if (navigator.clipboard) {
  const writeText = navigator.clipboard.writeText.bind(navigator.clipboard);
  const write = navigator.clipboard.write.bind(navigator.clipboard);
  navigator.clipboard.writeText = (text) => writeText(asWritten(String(text)));
  navigator.clipboard.write = async (items) => write(await Promise.all(items.map(withoutMarks)));
}
