import { say, textsReady } from "./texts.js";

// The code of an error and the id of its request, which xnai/ui/markdown.py writes behind what went
// wrong: a support line asks for them, a reader does not.
const REFERENCE = /^[a-z][a-z0-9_]{2,60} · (?:[0-9a-f]{32}|-)$/;
const IN_TOAST = / \(([a-z][a-z0-9_]{2,60} · (?:[0-9a-f]{32}|-))\)$/;

function fold(reference) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "xnai-details";
  button.textContent = say("Details");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    reference.hidden = !reference.hidden;
    button.setAttribute("aria-expanded", String(!reference.hidden));
  });
  reference.classList.add("xnai-reference");
  reference.hidden = true;
  reference.before(button, " ");
}

function foldAll() {
  for (const words of document.querySelectorAll(".ai-message span.italic:not(.xnai-reference)")) {
    if (REFERENCE.test(words.textContent)) fold(words);
  }
  // A toast has no Markdown: its text is one node, which Chainlit does not write again.
  for (const title of document.querySelectorAll("[data-sonner-toast] [data-title]:not(:has(.xnai-reference))")) {
    const text = title.firstChild;
    const found = text?.nodeType === Node.TEXT_NODE && IN_TOAST.exec(text.data);
    if (!found) continue;
    const reference = document.createElement("span");
    reference.textContent = found[1];
    text.data = text.data.slice(0, found.index);
    title.append(reference);
    fold(reference);
  }
}

export function installDetails() {
  let waits = false;
  const run = () => {
    waits = false;
    foldAll();
  };
  textsReady.then(() => {
    new MutationObserver(() => {
      if (!waits) requestAnimationFrame(run);
      waits = true;
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
    foldAll();
  });
}
