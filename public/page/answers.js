// Buttons of answers: a table is copied as CSV, an answer with its sources.
import { caughtCopy, copy } from "./copies.js";
import { asCsv, rowsOf } from "./csv.js";
import { withSources } from "./sourced.js";
import { say, textsReady } from "./texts.js";

const SHOWN = 2000; // milliseconds for which a button says that it has copied

function button(name, label, text) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = name;
  made.textContent = label;
  made.setAttribute("aria-live", "polite");
  made.addEventListener("click", async () => {
    try {
      await copy(await text());
      made.textContent = say("Copied");
    } catch {
      made.textContent = say("Could not be copied");
    }
    setTimeout(() => (made.textContent = label), SHOWN);
  });
  return made;
}

function addToTables() {
  for (const table of document.querySelectorAll(".ai-message .message-content table")) {
    const frame = table.parentElement.parentElement;
    if (frame.querySelector(":scope > .xnai-csv")) continue;
    frame.classList.add("xnai-table");
    frame.append(button("xnai-csv", say("Copy as CSV"), () => asCsv(rowsOf(table))));
  }
}

// Chainlit draws its buttons when an answer is whole; ours stands beside the one that copies.
function addToMessages() {
  if (!navigator.clipboard) return;
  for (const message of document.querySelectorAll(".ai-message:has(.message-content a[href^='/reader/'][title])")) {
    const icon = [...message.querySelectorAll("button svg.lucide-copy")].at(-1);
    const theirs = icon?.closest("button");
    if (!theirs || theirs.closest(".message-content") || message.querySelector(".xnai-sourced")) continue;
    const text = async () => withSources(await caughtCopy(() => theirs.click()));
    theirs.after(button("xnai-sourced", say("Copy with sources"), text));
  }
}

export function installAnswers() {
  let waits = false;
  const add = () => {
    waits = false;
    addToTables();
    addToMessages();
  };
  textsReady.then(() => {
    new MutationObserver(() => {
      if (!waits) requestAnimationFrame(add);
      waits = true;
    }).observe(document.body, { childList: true, subtree: true });
    add();
  });
}
