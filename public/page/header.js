// What Chainlit's page lacks: a button for the documents, and words under its name.
import { onMessage } from "./messages.js";
import { openReader } from "./reader.js";
import { say, textsReady } from "./texts.js";
import { addWelcome } from "./welcome.js";

let chat = ""; // the thread that is shown; its address does not always say it

// Chainlit draws its header anew now and then, so the button is put back when it is missing.
function addButton() {
  const header = document.getElementById("header");
  if (!header || document.getElementById("xnai-documents")) return;
  const button = document.createElement("button");
  button.id = "xnai-documents";
  button.type = "button";
  button.textContent = say("Documents");
  button.addEventListener("click", () => {
    openReader(chat ? `/documents?chat=${chat}` : "/documents", button);
  });
  header.lastElementChild.prepend(button);
}

export function installHeader() {
  onMessage("xnai:thread", ({ id }) => (chat = id));
  const add = () => {
    addButton();
    addWelcome();
  };
  textsReady.then(() => {
    new MutationObserver(add).observe(document.body, { childList: true, subtree: true });
    add();
  });
}
