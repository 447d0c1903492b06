// A list of the server's that changes by itself, as a page or in the panel: it is fetched again while
// something is under way, and what may be regretted asks first, in its own row.
import { say } from "./texts.js";

const EVERY = 2000; // milliseconds between two looks, while something is under way

// Returns what went wrong, if something did, and what was said; what is gone already is gone.
export async function asked(path, method, gone = false, body = undefined) {
  try {
    const response = await fetch(path, { method, body });
    const text = await response.text();
    if (response.ok) return { wrong: "", told: text };
    if (gone && response.status === 404) return { wrong: "", told: "" };
    const page = new DOMParser().parseFromString(text, "text/html");
    return { wrong: page.querySelector("main .xnai-problem")?.textContent ?? String(response.status), told: "" };
  } catch {
    return { wrong: say("The server does not answer. Is it still running?"), told: "" };
  }
}

export class FollowedList {
  constructor(root, address, signal) {
    this.root = root;
    this.address = address;
    this.signal = signal;
    root.addEventListener("click", (event) => this.pressed(event), { signal });
    root.addEventListener("keydown", (event) => this.typed(event), { signal });
    this.dress(root);
    this.follow();
  }

  // What the browser knows better than the server: dates, names of languages.
  dress() {}

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
    this.dress(fresh);
    if (at) (row(fresh, at)?.querySelector(what) ?? row(fresh, at)?.querySelector("button"))?.focus();
  }

  pressed(event) {
    const row = event.target.closest?.("li[data-id]");
    const name = event.target.closest?.("[data-do]")?.dataset.do;
    if (!row || !name) return;
    if (name === "ask" || name === "keep") this.ask(row, name === "ask");
    else this.act(name, row);
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

  // Asks the server with the buttons of a row out of reach; returns what came of it.
  async press(row, path, method, gone = false) {
    const buttons = row.querySelectorAll("button");
    for (const one of buttons) one.disabled = true;
    const came = await asked(path, method, gone);
    for (const one of buttons) one.disabled = false;
    if (came.wrong) this.tell(came.wrong);
    return came;
  }
}
