// Files that are added to a library from the page of documents: chosen or dropped, sent one after the
// other, each with a row that says how far it is, or why it was not taken.
import { installDropping } from "./dropping.js";
import { say } from "./texts.js";

const MEGABYTE = 1024 * 1024;
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

function button(words, name, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "xnai-plain";
  made.textContent = words;
  made.setAttribute("aria-label", name);
  made.addEventListener("click", pressed);
  return made;
}

// What the server says is wrong, in a page or as the interface says it.
function problem(request) {
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  const said = page.querySelector("main .xnai-problem")?.textContent;
  if (said) return said;
  try {
    return JSON.parse(request.responseText).error.message;
  } catch {
    return request.status ? String(request.status) : say("The server does not answer. Is it still running?");
  }
}

export class Adding {
  constructor(list, signal) {
    this.list = list;
    this.waiting = [];
    this.sent = null;
    list.root.addEventListener("change", (event) => this.chosen(event.target), { signal });
    if (this.form) this.form.hidden = false; // without this script it would do nothing
    // Beside a chat what is dropped goes into the chat.
    if (document.body.classList.contains("xnai-own")) installDropping(() => Boolean(this.form), (files) => this.take(files));
    window.addEventListener("beforeunload", (event) => (this.sent || this.waiting.length) && event.preventDefault(), { signal });
  }

  get form() {
    return this.list.root.querySelector(".xnai-add");
  }

  chosen(field) {
    if (!field.matches?.(".xnai-add input[type='file']")) return;
    this.take([...field.files]);
    field.value = "";
  }

  take(files) {
    for (const file of files) {
      const row = document.createElement("li");
      row.innerHTML = '<span class="xnai-state" dir="auto"></span>';
      this.form.querySelector("ul").append(row);
      const limit = Number(this.form.dataset.mostMb);
      if (!file.size) this.refuse(row, fill(say("{file} cannot be read: it is empty."), { file: file.name }));
      else if (file.size > limit * MEGABYTE) {
        const size = (file.size / MEGABYTE).toFixed(1);
        this.refuse(row, fill(say("{file} is too large: it has {size} MB, and {limit} MB are read at most."), { file: file.name, size, limit }));
      } else {
        this.say(row, `${file.name}: ${say("Waits for its turn")}`);
        row.append(button(say("Cancel"), fill(say("Cancel {file}"), { file: file.name }), () => this.cancel(row)));
        this.waiting.push({ file, row });
      }
    }
    this.next();
  }

  say(row, words) {
    row.querySelector("span").textContent = words;
  }

  refuse(row, words) {
    row.className = "xnai-is-failed";
    this.say(row, words);
    row.querySelector("progress")?.remove();
    row.querySelector("button")?.remove();
    row.append(button("×", say("Dismiss"), () => row.remove()));
  }

  cancel(row) {
    this.waiting = this.waiting.filter((one) => one.row !== row);
    row.remove();
    if (this.sent?.row === row) this.sent.request.abort();
  }

  async next() {
    if (this.sent || !this.waiting.length) return;
    const { file, row } = this.waiting.shift();
    const request = new XMLHttpRequest();
    this.sent = { row, request };
    // A folder that is dropped looks like a file until it is read.
    if (!(await file.slice(0, 1).arrayBuffer().catch(() => null))) {
      this.sent = null;
      this.refuse(row, fill(say("{file} cannot be read: files of this kind are not known here. PDF, Word, Excel, PowerPoint, OpenDocument, RTF, text, tables, web pages, e-mail, e-books, ZIP and pictures are."), { file: file.name }));
      this.next();
      return;
    }
    if (!row.isConnected) return this.ended(file, row, request); // cancelled meanwhile
    const bar = document.createElement("progress");
    bar.max = 100;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    row.querySelector("span").after(bar);
    this.say(row, file.name);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && (bar.value = (100 * event.loaded) / event.total));
    request.addEventListener("loadend", () => this.ended(file, row, request));
    request.open("POST", `/libraries/${encodeURIComponent(this.form.dataset.library)}/files`);
    request.setRequestHeader("x-xnai-name", encodeURIComponent(file.name));
    request.send(file);
  }

  ended(file, row, request) {
    this.sent = null;
    if (request.status === 201) {
      row.remove();
      this.list.tell(fill(say("{file} was added, and is being read."), { file: file.name }));
    } else if (row.isConnected) {
      const wrong = problem(request);
      this.refuse(row, wrong.includes(file.name) ? wrong : `${file.name}: ${wrong}`);
    }
    this.list.renew();
    this.next();
  }
}
