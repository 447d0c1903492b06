// The reader's own view of a document that is shown as it looks: the server's picture of one page,
// until (and unless) the whole document can be shown.
import { openPdf } from "./pdf.js";
import { openPhoto } from "./photo.js";

let open = null; // what is shown: { act, close }
let ending = null; // ends the one that is being opened

function listen(frame, shown, signal) {
  const number = frame.querySelector(".xnai-page-number");
  const words = frame.querySelector(".xnai-find input");
  frame.addEventListener("click", (event) => {
    const name = event.target.closest?.("[data-do]")?.dataset.do;
    if (name) shown.act(name);
  }, { signal });
  number?.addEventListener("change", () => shown.act("page", Number(number.value)), { signal });
  words?.addEventListener("input", () => shown.act("find", words.value), { signal });
  words?.addEventListener("keydown", (event) => {
    if (event.key === "Enter") shown.act(event.shiftKey ? "find-before" : "find-after");
    if (event.key !== "Escape" || !words.value) return;
    words.value = "";
    shown.act("find", "");
    event.preventDefault();
  }, { signal });
  // The browser finds on pages that are drawn, ours in the whole document; a second press is its own.
  frame.closest("#xnai-reader, body").addEventListener("keydown", (event) => {
    const finds = (event.ctrlKey || event.metaKey) && event.key === "f";
    if (!finds || !words || document.activeElement === words) return;
    words.focus();
    words.select();
    event.preventDefault();
  }, { signal });
}

export function closeViewer() {
  ending?.abort();
  open?.close();
  open = ending = null;
}

export const isLive = () => Boolean(open);

export async function openViewer(root) {
  closeViewer();
  const frame = root.querySelector(".xnai-viewer");
  if (!frame) return;
  ending = new AbortController();
  const { signal } = ending;
  try {
    const shown = await (frame.dataset.kind === "pdf" ? openPdf : openPhoto)(frame, signal);
    if (signal.aborted) {
      shown.close();
      return;
    }
    open = shown;
    frame.querySelector(".xnai-tools").hidden = false;
    listen(frame, shown, signal);
  } catch (reason) {
    // What this reader cannot open, the server has drawn.
    if (!signal.aborted) console.warn("The document is shown as pictures.", reason);
    frame.closest(".xnai-page").classList.remove("xnai-live");
  }
}
