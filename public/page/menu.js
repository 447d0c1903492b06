// In the menu of a chat in the list: entries of ours beside what Chainlit has there.
import { textsReady } from "./texts.js";

const TRIES = 30; // Escape closes what lies uppermost, such as the tip of a chat, before the menu

function leave(menu, left = TRIES) {
  if (!left || !menu.isConnected || menu.dataset.state !== "open") return;
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  setTimeout(() => leave(menu, left - 1), 100);
}

function item(menu, model, words, act) {
  const made = model.cloneNode(false);
  made.removeAttribute("id");
  made.classList.add("xnai-entry");
  made.textContent = words;
  const chosen = (event) => {
    event.preventDefault();
    event.stopPropagation();
    act();
    leave(menu);
  };
  made.addEventListener("click", chosen);
  made.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && chosen(event));
  return made;
}

// Chainlit's menu knows its own items alone.
function step(menu, event) {
  const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const items = [...menu.querySelectorAll("[role='menuitem']")];
  const now = items.indexOf(document.activeElement);
  const next = way && now >= 0 ? items[now + way] : null;
  if (![next, items[now]].some((one) => one?.classList.contains("xnai-entry"))) return;
  event.preventDefault();
  event.stopPropagation();
  next?.focus();
}

// Each of `entries` returns, for the id of a chat, pairs of words and what they do.
export function installMenu(...entries) {
  const add = () => {
    for (const menu of document.querySelectorAll("[role='menu']")) {
      const opener = document.querySelector(`[aria-controls="${CSS.escape(menu.id)}"]`);
      const thread = opener?.closest("a[href^='/thread/']")?.getAttribute("href").split("/").pop();
      const model = menu.querySelector("[role='menuitem']");
      if (!thread || !model || menu.querySelector(".xnai-entry")) continue;
      const ours = entries.flatMap((one) => one(thread));
      menu.append(...ours.map(([words, act]) => item(menu, model, words, act)));
      menu.addEventListener("keydown", (event) => step(menu, event), true);
    }
  };
  textsReady.then(() => new MutationObserver(add).observe(document.body, { childList: true }));
}
