// A page of our own: arrow keys turn the pages of a document, and the passage is scrolled to. Who is
// signed out in the middle of a chat comes back to it.
import { lastPlace } from "./place.js";
import { showPassage } from "./passage.js";

const { pathname, search } = window.location;
if (pathname === "/login" && !search && lastPlace()) {
  window.location.replace(`/login?next=${lastPlace()}`);
}

showPassage(document);
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const before = document.documentElement.dir === "rtl" ? "ArrowRight" : "ArrowLeft";
  const after = before === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
  const way = { [before]: "prev", [after]: "next" }[event.key];
  if (way) document.querySelector(`a[rel="${way}"]`)?.click();
});
