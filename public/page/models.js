// The list of models: it follows a download, and fetches, chooses and deletes; the last two ask first.
import { openEndpoint } from "./endpoint.js";
import { FollowedList } from "./list.js";
import { say, textsReady } from "./texts.js";

const place = (name) => `/models/${encodeURIComponent(name)}`;

class ModelList extends FollowedList {
  dress(root) {
    const names = new Intl.DisplayNames([document.documentElement.lang], { type: "language" });
    for (const one of root.querySelectorAll("[data-language]")) one.textContent = names.of(one.dataset.language);
  }

  async act(name, row) {
    const { id } = row.dataset;
    const method = name === "delete" ? "DELETE" : "POST";
    const path = name === "delete" ? place(id) : `${place(id)}/${name}`;
    const came = await this.press(row, path, method, name === "delete");
    if (!came.wrong && row.querySelector(".xnai-sure:not([hidden])")) this.ask(row, false);
    if (!came.wrong) this.tell(name === "delete" ? say("Deleted {file}.").replace("{file}", row.dataset.name) : came.told);
    this.renew();
  }
}

export async function openModels(root, address, signal) {
  await textsReady;
  if (!signal.aborted) openEndpoint(root, signal);
  return root.querySelector(".xnai-models") && !signal.aborted ? new ModelList(root, address, signal) : null;
}
