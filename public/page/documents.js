// The list of documents: it follows those that are being read, deletes after asking, and leaves those
// names that have what is typed.
import { Adding } from "./adding.js";
import { Bulk } from "./bulk.js";
import { asked, FollowedList } from "./list.js";
import { say, textsReady } from "./texts.js";

const library = (id) => `/libraries/${encodeURIComponent(id)}`;
const place = (id) => `/documents/${encodeURIComponent(id)}`;
export const deleteDocument = async (id) => (await asked(place(id), "DELETE", true)).wrong;
export const readAgain = async (id) => (await asked(`${place(id)}/again`, "POST")).wrong;

class DocumentList extends FollowedList {
  constructor(root, address, signal) {
    super(root, address, signal);
    root.querySelector("input[name='q']")?.addEventListener("input", () => this.filter(), { signal });
    root.addEventListener("submit", (event) => this.submitted(event), { signal });
    root.addEventListener("change", (event) => this.chosen(event), { signal });
    this.bulk = new Bulk(this, signal);
    this.adding = new Adding(this, signal);
  }

  dress(root) {
    const as = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    for (const time of root.querySelectorAll("time")) time.textContent = as.format(new Date(time.dateTime));
    this.filter();
    this.bulk?.again();
  }

  // The button says which library, where it is about one.
  pressed(event) {
    this.within = event.target.closest?.("[data-in]")?.dataset.in ?? "";
    super.pressed(event);
  }

  async act(name, row) {
    const { id } = row.dataset;
    if (name === "into" || name === "out") return this.place(row, this.within, name === "into");
    if (name === "delete" && "library" in row.dataset) {
      if (!(await this.press(row, library(id), "DELETE", true)).wrong) this.open("/documents");
      return;
    }
    if (name === "again") {
      await this.press(row, `${place(id)}/again`, "POST");
      this.renew();
    } else if (name === "delete" && !(await this.press(row, place(id), "DELETE", true)).wrong) this.forget(row);
  }

  async place(row, within, isIn) {
    const { wrong } = await this.press(row, `${library(within)}/documents/${encodeURIComponent(row.dataset.id)}`, isIn ? "PUT" : "DELETE");
    if (wrong) return;
    const words = isIn ? say("{file} is kept in the library.") : say("{file} is no longer in the library.");
    this.tell(words.replace("{file}", row.dataset.name));
    this.renew();
  }

  chosen(event) {
    const choice = event.target.closest?.("select[data-into]");
    if (choice?.value) this.place(choice.closest("li[data-id]"), choice.value, true);
  }

  async submitted(event) {
    const form = event.target.closest?.(".xnai-new-library");
    if (!form) return;
    event.preventDefault();
    event.stopPropagation(); // the panel takes every form for a search
    const { wrong, told } = await asked("/libraries", "POST", false, form.elements.name.value);
    if (wrong) this.tell(wrong);
    else this.open(`/documents?library=${encodeURIComponent(JSON.parse(told).id)}`);
  }

  // Goes to another list, as a page or in the panel.
  open(address) {
    const link = document.createElement("a");
    link.className = "xnai-inside";
    link.href = address;
    this.list.append(link);
    link.click();
  }

  forget(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    this.tell(say("Deleted {file}.").replace("{file}", row.dataset.name));
    if (next) next.querySelector("[data-do='ask']")?.focus();
    else this.renew();
  }

  filter() {
    const words = this.root.querySelector("input[name='q']")?.value.trim().toLowerCase() ?? "";
    for (const row of this.list?.querySelectorAll("li[data-id]") ?? []) {
      row.hidden = !row.dataset.name.toLowerCase().includes(words);
    }
  }
}

// Returns the list, if there is one; it ends with the signal.
export async function openDocuments(root, address, signal) {
  await textsReady;
  return root.querySelector(".xnai-documents:not(.xnai-models)") && !signal.aborted ? new DocumentList(root, address, signal) : null;
}
