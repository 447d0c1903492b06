// The list of documents: it follows those that are being read, deletes after asking, and leaves those
// names that have what is typed.
import { asked, FollowedList } from "./list.js";
import { say, textsReady } from "./texts.js";

const place = (id) => `/documents/${encodeURIComponent(id)}`;
export const deleteDocument = async (id) => (await asked(place(id), "DELETE", true)).wrong;
export const readAgain = async (id) => (await asked(`${place(id)}/again`, "POST")).wrong;

class DocumentList extends FollowedList {
  constructor(root, address, signal) {
    super(root, address, signal);
    root.querySelector("input[name='q']")?.addEventListener("input", () => this.filter(), { signal });
  }

  dress(root) {
    const as = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    for (const time of root.querySelectorAll("time")) time.textContent = as.format(new Date(time.dateTime));
    this.filter();
  }

  async act(name, row) {
    const { id } = row.dataset;
    if (name === "again") {
      await this.press(row, `${place(id)}/again`, "POST");
      this.renew();
    } else if (name === "delete" && !(await this.press(row, place(id), "DELETE", true)).wrong) this.forget(row);
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
