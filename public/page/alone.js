// A page of our own: arrow keys turn the pages of a document, and the passage is scrolled to. Who is
// signed out in the middle of a chat comes back to it.
import { openDocuments } from "./documents.js";
import { openModels } from "./models.js";
import { lastPlace } from "./place.js";
import { showPassage } from "./passage.js";
import { textsReady } from "./texts.js";
import { isLive, openViewer } from "./viewer.js";

const { pathname, search } = window.location;
if (pathname === "/login" && !search && lastPlace()) {
  window.location.replace(`/login?next=${lastPlace()}`);
}

showPassage(document);
textsReady.then(() => openViewer(document));
for (const open of [openDocuments, openModels]) open(document, window.location.href, new AbortController().signal);
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest?.("input")) return;
  const before = document.documentElement.dir === "rtl" ? "ArrowRight" : "ArrowLeft";
  const after = before === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
  const way = { [before]: "prev", [after]: "next" }[event.key];
  if (!way) return;
  const turns = isLive() ? `[data-do="${way === "prev" ? "before" : "after"}"]` : `a[rel="${way}"]`;
  document.querySelector(turns)?.click();
});
