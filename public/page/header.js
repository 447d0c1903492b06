// What Chainlit's page lacks: buttons for documents and models, and words under its name.
import { onMessage } from "./messages.js";
import { openReader } from "./reader.js";
import { say, textsReady } from "./texts.js";
import { addWelcome } from "./welcome.js";

let chat = ""; // the thread that is shown; its address does not always say it

// Chainlit draws its header anew now and then, so the button is put back when it is missing.
function addButton(id, words, address) {
  const header = document.getElementById("header");
  if (!header || document.getElementById(id)) return;
  const button = document.createElement("button");
  button.id = id;
  button.className = "xnai-opens";
  button.type = "button";
  button.textContent = words;
  button.addEventListener("click", () => openReader(address(), button));
  header.lastElementChild.prepend(button);
}

export function installHeader() {
  onMessage("xnai:thread", ({ id }) => (chat = id));
  const add = () => {
    addButton("xnai-models", say("Models"), () => "/models");
    addButton("xnai-documents", say("Documents"), () => (chat ? `/documents?chat=${chat}` : "/documents"));
    addWelcome();
  };
  textsReady.then(() => {
    new MutationObserver(add).observe(document.body, { childList: true, subtree: true });
    add();
  });
}
