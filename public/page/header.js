// What Chainlit's page lacks: a button for the documents, and words under its name.
import { say, textsReady } from "./texts.js";
import { addWelcome } from "./welcome.js";

// Chainlit draws its header anew now and then, so the button is put back when it is missing.
function addButton() {
  const header = document.getElementById("header");
  if (!header || document.getElementById("xnai-documents")) return;
  const button = document.createElement("button");
  button.id = "xnai-documents";
  button.type = "button";
  button.textContent = say("Documents");
  button.addEventListener("click", () =>
    window.postMessage("xnai:documents", window.location.origin),
  );
  header.lastElementChild.prepend(button);
}

export function installHeader() {
  const add = () => {
    addButton();
    addWelcome();
  };
  textsReady.then(() => {
    new MutationObserver(add).observe(document.body, { childList: true, subtree: true });
    add();
  });
}
