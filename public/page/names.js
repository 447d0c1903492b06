import { say, textsReady } from "./texts.js";

// Chainlit's buttons have icons alone: names for people who hear the page, and roles that are true.
const names = () => ({
  "#sidebar-trigger-button": say("Open or close the list of chats"),
  "#search-chats-button": say("Search chats"),
  "#new-chat-button": say("New chat"),
  "#chat-settings-open-modal": say("Settings"),
  "#upload-button": say("Attach files"),
  "#attachments button": say("Take the file back"),
  "#chat-submit": say("Send"),
  "#stop-button": say("Stop"),
  "#thread-options": say("What to do with this chat"),
  "#side-view-title button": say("Close the panel"),
  "button[id^='answer_again']": say("Answer again"),
  "[class*='positive-feedback']": say("A good answer"),
  "[class*='negative-feedback']": say("A bad answer"),
  "button:has(> svg.lucide-copy)": say("Copy"),
  "button:has(> svg.lucide-check)": say("Copied"),
  "button:has(> svg.lucide-arrow-down)": say("To the newest message"),
});
const ROLES = {
  "#upload-button[role='presentation']": "button",
  "#thread-options:not([role])": "button",
  // Their children are no items of a list.
  "ul[data-sidebar='menu']:not([role])": "presentation",
  "ul[role='presentation'] li:not([role])": "presentation",
};
const own = new WeakMap(); // the name that we gave

function nameAll() {
  for (const [selector, name] of Object.entries(names())) {
    for (const one of document.querySelectorAll(selector)) {
      const is = one.getAttribute("aria-label");
      if (is === name || one.textContent.trim() || (is && own.get(one) !== is)) continue;
      own.set(one, name);
      one.setAttribute("aria-label", name);
    }
  }
  for (const [selector, role] of Object.entries(ROLES)) {
    for (const one of document.querySelectorAll(selector)) one.setAttribute("role", role);
  }
  for (const slider of document.querySelectorAll("#chat-settings [role='slider']:not([aria-label])")) {
    const label = slider.closest(".space-y-2")?.querySelector("label");
    if (label) slider.setAttribute("aria-label", label.firstChild.textContent);
  }
  for (const one of document.querySelectorAll("[role='separator'][aria-controls]")) {
    if (!document.getElementById(one.getAttribute("aria-controls"))) one.removeAttribute("aria-controls");
  }
}

export function installNames() {
  let waits = false;
  const run = () => {
    waits = false;
    nameAll();
  };
  textsReady.then(() => {
    new MutationObserver(() => {
      if (!waits) requestAnimationFrame(run);
      waits = true;
    }).observe(document.body, { childList: true, subtree: true });
    nameAll();
  });
}
