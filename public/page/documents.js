// The list of documents, as a page or in the panel: it follows those that are being read, deletes
// after asking, and leaves those names that have what is typed.
import { say, textsReady } from "./texts.js";

const EVERY = 2000; // milliseconds between two looks, while something is being read

function dates(root) {
  const as = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll("time")) time.textContent = as.format(new Date(time.dateTime));
}

// Returns what went wrong, if something did; what is gone already is gone.
async function asked(path, method, gone) {
  try {
    const response = await fetch(path, { method });
    if (response.ok || (gone && response.status === 404)) return "";
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    return page.querySelector("main .xnai-problem")?.textContent ?? String(response.status);
  } catch {
    return say("The server does not answer. Is it still running?");
  }
}

export const deleteDocument = (id) => asked(`/documents/${encodeURIComponent(id)}`, "DELETE", true);
export const readAgain = (id) => asked(`/documents/${encodeURIComponent(id)}/again`, "POST", false);

class DocumentList {
  constructor(root, address, signal) {
    this.root = root;
    this.address = address;
    this.signal = signal;
    root.addEventListener("click", (event) => this.pressed(event), { signal });
    root.addEventListener("keydown", (event) => this.typed(event), { signal });
    root.querySelector("input[name='q']")?.addEventListener("input", () => this.filter(), { signal });
    dates(root);
    this.follow();
  }

  get list() {
    return this.root.querySelector("#xnai-list");
  }

  tell(words) {
    const line = this.root.querySelector("#xnai-told");
    if (line) line.textContent = words;
  }

  follow() {
    const timer = setInterval(() => {
      if (!document.hidden && this.list?.hasAttribute("data-reading")) this.renew();
    }, EVERY);
    this.signal.addEventListener("abort", () => clearInterval(timer));
  }

  async renew() {
    try {
      const response = await fetch(this.address, { signal: this.signal });
      if (response.ok) this.replace(new DOMParser().parseFromString(await response.text(), "text/html"));
    } catch {
      if (!this.signal.aborted) this.tell(say("The server does not answer. Is it still running?"));
    }
  }

  replace(page) {
    const [now, fresh, held] = [this.list, page.getElementById("xnai-list"), document.activeElement];
    // Whoever is being asked is not disturbed.
    if (!now || !fresh || now.querySelector(".xnai-sure:not([hidden])")) return;
    const row = (root, id) => root.querySelector(`li[data-id="${CSS.escape(id)}"]`);
    for (const open of now.querySelectorAll("details[open]")) {
      row(fresh, open.closest("li[data-id]").dataset.id)?.querySelector("details")?.setAttribute("open", "");
    }
    const at = now.contains(held) ? held.closest("li[data-id]")?.dataset.id : "";
    const what = held?.dataset?.do ? `[data-do="${held.dataset.do}"]` : held?.localName;
    now.replaceWith(document.adoptNode(fresh));
    dates(fresh);
    this.filter();
    if (at) row(fresh, at)?.querySelector(what)?.focus();
  }

  pressed(event) {
    const row = event.target.closest?.("li[data-id]");
    const name = event.target.closest?.("[data-do]")?.dataset.do;
    if (!row || !name) return;
    if (name === "delete") this.remove(row);
    else if (name === "again") this.again(row);
    else this.ask(row, name === "ask");
  }

  typed(event) {
    const sure = event.key === "Escape" && event.target.closest?.(".xnai-sure");
    if (!sure) return;
    event.preventDefault(); // the panel stays open
    this.ask(sure.closest("li"), false);
  }

  ask(row, is) {
    row.querySelector(".xnai-sure").hidden = !is;
    row.querySelector("[data-do='ask']").hidden = is;
    row.querySelector(is ? "[data-do='keep']" : "[data-do='ask']").focus();
  }

  async remove(row) {
    const buttons = row.querySelectorAll("button");
    for (const one of buttons) one.disabled = true;
    const told = await deleteDocument(row.dataset.id);
    if (told) this.tell(told);
    else this.forget(row);
    for (const one of buttons) one.disabled = false;
  }

  async again(row) {
    row.querySelector("[data-do='again']").disabled = true;
    const told = await readAgain(row.dataset.id);
    if (told) this.tell(told);
    this.renew();
  }

  forget(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    this.tell(say("Deleted {file}.").replace("{file}", row.dataset.name));
    if (next) next.querySelector("[data-do='ask']").focus();
    else this.renew();
  }

  filter() {
    const words = this.root.querySelector("input[name='q']")?.value.trim().toLowerCase() ?? "";
    for (const row of this.list.querySelectorAll("li[data-id]")) {
      row.hidden = !row.dataset.name.toLowerCase().includes(words);
    }
  }
}

// Returns the list, if there is one; it ends with the signal.
export async function openDocuments(root, address, signal) {
  await textsReady;
  return root.querySelector("#xnai-list") && !signal.aborted ? new DocumentList(root, address, signal) : null;
}
