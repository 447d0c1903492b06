// Many documents at once: those whose boxes are ticked are put into folders, tagged, moved, deleted,
// read again or asked about. What is ticked stays so when the list is fetched again.
import { asked } from "./list.js";
import { say } from "./texts.js";

export class Bulk {
  constructor(list, signal) {
    this.list = list;
    this.chosen = new Set();
    list.root.addEventListener("change", (event) => this.changed(event.target), { signal });
    list.root.addEventListener("click", (event) => {
      const button = event.target.closest?.("[data-bulk]");
      if (button) this.pressed(button);
    }, { signal });
  }

  get bar() {
    return this.list.root.querySelector(".xnai-bulk");
  }

  get boxes() {
    return [...this.list.list.querySelectorAll("[data-choose]")].filter((box) => !box.closest("li").hidden);
  }

  changed(target) {
    if (target.matches?.("[data-choose-all]")) for (const box of this.boxes) this.choose(box, target.checked);
    else if (target.matches?.("[data-choose]")) this.choose(target, target.checked);
    else if (target.matches?.("[data-sort]")) this.list.open(target.value);
    else if (target.matches?.("[data-bulk-move]") && target.value) this.act("move", target.value);
    else return;
    this.show();
  }

  choose(box, is) {
    const { id } = box.closest("li").dataset;
    box.checked = is;
    if (is) this.chosen.add(id);
    else this.chosen.delete(id);
  }

  // After the list was fetched again: what has gone is chosen no more.
  again() {
    const before = this.chosen;
    this.chosen = new Set();
    for (const box of this.boxes) if (before.has(box.closest("li").dataset.id)) this.choose(box, true);
    this.show();
  }

  show() {
    if (!this.bar) return;
    const count = this.chosen.size;
    this.bar.querySelector(".xnai-chosen").hidden = !count;
    this.bar.querySelector("[data-count]").textContent = say("Chosen: {number}").replace("{number}", count);
    this.bar.querySelector("[data-choose-all]").checked = count > 0 && this.boxes.every((box) => box.checked);
    if (!count) this.sure(false);
  }

  sure(is) {
    this.bar.querySelector(".xnai-sure").hidden = !is;
    this.bar.querySelector("[data-bulk='sure']").hidden = is;
  }

  pressed(button) {
    const name = button.dataset.bulk;
    if (name === "sure" || name === "keep") {
      this.sure(name === "sure");
      this.bar.querySelector(name === "sure" ? "[data-bulk='keep']" : "[data-bulk='sure']").focus();
    } else if ("allOfIt" in button.dataset) this.send({ do: "ask", library: button.dataset.inLibrary });
    else this.act(name, this.bar.querySelector("[data-words]")?.value ?? "");
  }

  act(name, value) {
    this.send({ do: name, ids: [...this.chosen], library: this.bar.dataset.libraryId, value });
  }

  async send(body) {
    const buttons = this.list.root.querySelectorAll("[data-bulk], [data-bulk-move]");
    for (const one of buttons) one.disabled = true;
    const { wrong, told } = await asked("/documents/bulk", "POST", false, JSON.stringify(body));
    for (const one of buttons) one.disabled = false;
    const move = this.bar?.querySelector("[data-bulk-move]");
    if (move) move.value = "";
    if (wrong) {
      this.list.tell(wrong);
      return;
    }
    const { go, told: words } = JSON.parse(told);
    if (go) {
      window.location.assign(go);
      return;
    }
    this.list.tell(words);
    if (this.bar) this.sure(false);
    this.list.renew();
  }
}
