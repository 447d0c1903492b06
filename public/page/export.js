// In the menu of a chat in the list: the chat as a file, beside what Chainlit has there.
import { say, textsReady } from "./texts.js";

const forms = () => [
  ["md", say("Export as Markdown")],
  ["json", say("Export as JSON")],
];

function item(model, thread, form, words) {
  const made = model.cloneNode(false);
  made.removeAttribute("id");
  made.classList.add("xnai-export");
  made.textContent = words;
  const leave = () => document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  const get = (event) => {
    event.preventDefault();
    event.stopPropagation();
    const link = document.createElement("a");
    link.href = `/conversations/${thread}?as=${form}`;
    link.download = "";
    link.click();
    leave();
  };
  made.addEventListener("click", get);
  made.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && get(event));
  return made;
}

// Chainlit's menu knows its own items alone.
function step(menu, event) {
  const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const items = [...menu.querySelectorAll("[role='menuitem']")];
  const now = items.indexOf(document.activeElement);
  const next = way && now >= 0 ? items[now + way] : null;
  if (![next, items[now]].some((one) => one?.classList.contains("xnai-export"))) return;
  event.preventDefault();
  event.stopPropagation();
  next?.focus();
}

function add() {
  for (const menu of document.querySelectorAll("[role='menu']")) {
    const opener = document.querySelector(`[aria-controls="${CSS.escape(menu.id)}"]`);
    const thread = opener?.closest("a[href^='/thread/']")?.getAttribute("href").split("/").pop();
    const model = menu.querySelector("[role='menuitem']");
    if (!thread || !model || menu.querySelector(".xnai-export")) continue;
    menu.append(...forms().map(([form, words]) => item(model, thread, form, words)));
    menu.addEventListener("keydown", (event) => step(menu, event), true);
  }
}

export function installExport() {
  textsReady.then(() => new MutationObserver(add).observe(document.body, { childList: true }));
}
