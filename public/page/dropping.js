// Files that are dropped anywhere on a page, with a sign while they are above it.
import { say } from "./texts.js";

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

function sign() {
  const made = document.createElement("div");
  made.id = "xnai-drop";
  made.textContent = say("Drop the files anywhere");
  return made;
}

// Gives `take` the files; `isOpen` tells whether any are taken now.
export function installDropping(isOpen, take) {
  let depth = 0;
  let shown = null;
  const end = () => {
    depth = 0;
    shown?.remove();
    shown = null;
  };
  document.addEventListener("dragenter", (event) => {
    if (!hasFiles(event) || !isOpen()) return;
    depth += 1;
    if (!shown) document.body.append((shown = sign()));
  });
  document.addEventListener("dragleave", (event) => {
    if (hasFiles(event)) depth -= 1;
    if (depth <= 0) end();
  });
  // Before Chainlit, whose own field is a part of the page alone.
  window.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  window.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    end();
    if (isOpen()) take([...event.dataTransfer.files]);
  }, true);
}
