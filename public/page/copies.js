// A copy has the words alone: no characters that break links, and citations as [1].
import { asWritten } from "./written.js";

const INVISIBLE = /[\u2060-\u2063]/;
const CATCHING = 2000; // milliseconds within which a button that copies has done so

let give = null; // who takes the next copy in the place of the clipboard

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

function taken(text) {
  give?.(text);
  const was = give;
  give = null;
  return Boolean(was);
}

if (navigator.clipboard) {
  const writeText = navigator.clipboard.writeText.bind(navigator.clipboard);
  const write = navigator.clipboard.write.bind(navigator.clipboard);
  navigator.clipboard.writeText = async (text) => {
    const clean = asWritten(String(text));
    if (!taken(clean)) await writeText(clean);
  };
  navigator.clipboard.write = async (items) => {
    const clean = await Promise.all(items.map(withoutMarks));
    const words = clean.find((item) => item.types.includes("text/plain"));
    if (give && words && taken(await (await words.getType("text/plain")).text())) return;
    await write(clean);
  };
}

// What Chainlit's own button copies: a message as it was written is nowhere else on the page.
export function caughtCopy(press) {
  return new Promise((resolve, reject) => {
    const waits = setTimeout(() => {
      give = null;
      reject(new Error("Nothing was copied."));
    }, CATCHING);
    give = (text) => {
      clearTimeout(waits);
      resolve(text);
    };
    press();
  });
}

// Where a page has no clipboard, since it did not come over TLS, a selection is copied.
export async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("Nothing was copied.");
}
