// Chats that are pinned stand above the others in the list.
import { say, textsReady } from "./texts.js";

const SETTLED = 300; // milliseconds after which a list that changed is asked for
const ADDRESS = "/conversations";

let pinned = []; // as { id, name }
let seen = ""; // the chats that Chainlit's list has shown

async function renew() {
  const response = await fetch(`${ADDRESS}/pinned`).catch(() => null);
  if (response?.ok) pinned = await response.json();
  draw();
}

async function pin(id, is) {
  await fetch(`${ADDRESS}/${id}/pin`, { method: is ? "PUT" : "DELETE" }).catch(() => null);
  await renew();
}

// Chainlit's router follows the address of the page.
function open(event) {
  const plain = event.button === 0 && !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (!plain) return;
  event.preventDefault();
  window.history.pushState({}, "", event.currentTarget.getAttribute("href"));
  window.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}

function row({ id, name }) {
  const link = document.createElement("a");
  link.href = `/thread/${id}`;
  link.dir = "auto";
  link.textContent = name || "…";
  link.title = name;
  link.addEventListener("click", open);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "×";
  button.setAttribute("aria-label", say("Unpin {name}").replace("{name}", name));
  button.addEventListener("click", () => pin(id, false));
  const made = document.createElement("li");
  made.append(link, button);
  return made;
}

function draw() {
  const place = document.getElementById("thread-history")?.closest("[data-sidebar='content']");
  document.getElementById("xnai-pinned")?.remove();
  if (!place || !pinned.length) return;
  const title = document.createElement("h2");
  title.textContent = say("Pinned");
  const list = document.createElement("ul");
  list.append(...pinned.map(row));
  const box = document.createElement("nav");
  box.id = "xnai-pinned";
  box.setAttribute("aria-label", title.textContent);
  box.append(title, list);
  place.prepend(box);
}

// A pinned chat may have been renamed or deleted where it stands in Chainlit's list.
function shown() {
  const rows = [...document.querySelectorAll("#thread-history a[href^='/thread/']")];
  return rows.map((one) => `${one.getAttribute("href")} ${one.textContent}`).join("\n");
}

export const pinEntries = (thread) => {
  const is = pinned.some(({ id }) => id === thread);
  return [[is ? say("Unpin") : say("Pin"), () => pin(thread, !is)]];
};

export function installPins() {
  let waits = 0;
  const look = () => {
    waits = 0;
    const now = shown();
    if (now === seen && (!pinned.length || document.getElementById("xnai-pinned"))) return;
    seen = now;
    renew();
  };
  textsReady.then(() => {
    new MutationObserver(() => (waits ||= setTimeout(look, SETTLED))).observe(document.getElementById("root"), { childList: true, subtree: true, characterData: true });
  });
}
