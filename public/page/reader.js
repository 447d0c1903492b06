// The panel beside the chat that shows a cited place, or the documents. One at a time, opened by a
// click alone.
import { offerAgain } from "./again.js";
import { openDocuments } from "./documents.js";
import { onMessage } from "./messages.js";
import { openModels } from "./models.js";
import { showPassage } from "./passage.js";
import { say } from "./texts.js";
import { closeViewer, openViewer } from "./viewer.js";

const READER = 'a[href^="/reader/"], a.xnai-inside';
const NARROW = window.matchMedia("(max-width: 900px)");

let panel = null; // { box, body, title, outside } while it is open
let opener = null; // the link that opened it, which gets the focus back
let asked = null; // the request under way, and what is shown of its answer

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function build() {
  const close = element("button", { type: "button", class: "xnai-close", "aria-label": say("Close") }, "×");
  const outside = element("a", { class: "xnai-outside", target: "_blank", "aria-label": say("Open in a tab of its own"), title: say("Open in a tab of its own") }, "↗");
  const body = element("div", { class: "xnai-body" });
  const bar = element("div", { class: "xnai-bar" }, outside, close);
  const box = element("aside", { id: "xnai-reader", tabindex: "-1" }, bar, body);
  close.addEventListener("click", closeReader);
  box.addEventListener("keydown", keep);
  document.body.append(box);
  return { box, body, outside };
}

// On a phone the panel lies over the chat, which is then out of reach.
function cover() {
  const over = Boolean(panel) && NARROW.matches;
  document.getElementById("root").inert = over;
  if (!panel) return;
  panel.box.setAttribute("role", over ? "dialog" : "complementary");
  panel.box.toggleAttribute("aria-modal", over);
}

// Tab stays in a panel that covers everything else.
function keep(event) {
  if (event.key !== "Tab" || !NARROW.matches) return;
  const stops = [...panel.box.querySelectorAll("a[href], button, summary, input, [tabindex='0']")].filter((one) => one.checkVisibility());
  const [first, last] = [stops[0], stops.at(-1)];
  const edge = event.shiftKey ? first : last;
  if (document.activeElement !== edge && document.activeElement !== panel.box) return;
  if (document.activeElement === panel.box && !event.shiftKey) return;
  event.preventDefault();
  (event.shiftKey ? last : first).focus();
}

function show(page) {
  const held = document.activeElement?.getAttribute("rel"); // whoever turns pages goes on doing so
  panel.body.replaceChildren(document.adoptNode(page));
  panel.body.removeAttribute("aria-busy");
  panel.body.scrollTop = 0;
  showPassage(panel.body);
  openViewer(panel.body);
  offerAgain(panel.body, opener, closeReader);
  for (const open of [openDocuments, openModels]) open(panel.body, panel.outside.href, asked.signal);
  if (panel.box.contains(document.activeElement)) return;
  (panel.body.querySelector(`a[rel="${held}"]`) ?? panel.box).focus({ preventScroll: true });
}

function tell(words) {
  show(element("div", {}, element("p", { class: "xnai-problem" }, words)));
}

function nameOf(address) {
  if (address.startsWith("/models")) return say("Models");
  return address.startsWith("/documents") ? say("Documents") : say("Source");
}

export async function openReader(address, link = null) {
  if (link && !panel?.box.contains(link)) opener = link;
  panel ??= build();
  panel.outside.href = address;
  panel.box.setAttribute("aria-label", nameOf(address));
  panel.body.setAttribute("aria-busy", "true");
  document.body.classList.add("xnai-reading");
  document.querySelector("#side-view-title button")?.click(); // one panel at a time
  cover();
  if (!panel.box.contains(document.activeElement)) panel.box.focus({ preventScroll: true });
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  try {
    const response = await fetch(address, { signal });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const main = page.querySelector("main");
    if (signal.aborted) return;
    if (main) show(main);
    else tell(say("The source cannot be shown. Reload the page."));
  } catch {
    if (!signal.aborted) tell(say("The server does not answer. Is it still running?"));
  }
}

export function closeReader() {
  if (!panel) return;
  asked?.abort();
  closeViewer();
  const hadFocus = panel.box.contains(document.activeElement);
  panel.box.remove();
  panel = null;
  document.body.classList.remove("xnai-reading");
  cover();
  if (hadFocus && opener?.isConnected) opener.focus();
  opener = null;
}

function pressed(event) {
  const link = event.target.closest?.(READER);
  const plain = event.button === 0 && !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (!link || !plain || event.defaultPrevented || link.classList.contains("xnai-outside")) return;
  event.preventDefault();
  openReader(link.getAttribute("href"), link);
}

function searched(event) {
  const form = event.target.closest?.("#xnai-reader form");
  if (!form) return;
  event.preventDefault();
  openReader(`/documents?${new URLSearchParams(new FormData(form))}`);
}

export function installReader() {
  document.addEventListener("click", pressed);
  document.addEventListener("submit", searched);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !panel || event.defaultPrevented) return;
    // A menu or dialog of the chat that is open takes the key for itself.
    if (!panel.box.contains(document.activeElement) && document.querySelector('[role="dialog"][data-state="open"], [role="menu"]')) return;
    closeReader();
  });
  NARROW.addEventListener("change", cover);
  // Beside an answer that found nothing, a source would seem to be its own.
  onMessage("xnai:close-source", () => {
    if (panel?.outside.pathname.startsWith("/reader/")) closeReader();
  });
  // Another chat has other sources, and beside Chainlit's own panel there is no room.
  let chat = window.location.pathname;
  let beside = false;
  new MutationObserver(() => {
    const now = window.location.pathname;
    const is = Boolean(document.getElementById("side-view-title"));
    if ((now !== chat && chat !== "/") || (is && !beside)) closeReader();
    chat = now;
    beside = is;
  }).observe(document.getElementById("root"), { childList: true, subtree: true });
}
