// Files: dropped anywhere, pasted or chosen they go the same way into Chainlit's own field, without
// those that would be refused; a row says why. What is read has a row above the input, from when it is
// attached; whoever takes the file back, by its chip or its row, has what was read of it deleted.
import { deleteDocument, readAgain } from "./documents.js";
import { installDropping } from "./dropping.js";
import { onMessage } from "./messages.js";
import { say } from "./texts.js";

const MEGABYTE = 1e6;
const NAMELESS = /^image\.(png|jpe?g|webp)$/; // what browsers call a picture from the clipboard
const field = () => document.getElementById("upload-button-input");
const limit = (name) => Number(document.documentElement.dataset[name]) || Infinity;
const handed = new WeakSet(); // events that are ours
let latest = []; // rows as the server told them last
let refused = []; // of files that were not taken
const takenBack = new Set(); // names of files that are not to be sent after all
const deleted = new Set(); // their documents

// The chips of attached files are Chainlit's.
const chips = () => [...document.querySelectorAll("#attachments > *")];
const nameOf = (chip) => chip.querySelector("img")?.alt || chip.textContent.trim();
const labelOf = (chip) => [...chip.querySelectorAll("span")].at(-1)?.textContent ?? nameOf(chip);
const chipOf = (name) => chips().find((one) => [nameOf(one), labelOf(one)].includes(name));

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function isKnown({ name, type }) {
  const accepted = field().accept.split(",").map((one) => one.trim().toLowerCase());
  const lower = name.toLowerCase();
  return !field().accept || accepted.some((one) => (one.startsWith(".") ? lower.endsWith(one) : type && one === type));
}

function refusal(file, place) {
  const [mb, files] = [limit("mostMb"), limit("mostFiles")];
  const values = { file: file.name, size: (file.size / MEGABYTE).toFixed(1), limit: mb };
  if (!file.size) return fill(say("{file} cannot be read: it is empty."), values);
  if (!isKnown(file)) {
    return fill(say("{file} cannot be read: files of this kind are not known here. PDF, Word, Excel, PowerPoint, OpenDocument, RTF, text, tables, web pages, e-mail, e-books, ZIP and pictures are."), values);
  }
  if (file.size > mb * MEGABYTE) return fill(say("{file} is too large: it has {size} MB, and {limit} MB are read at most."), values);
  if (place >= files) {
    return fill(say("{file} was left out: at most {limit} can be sent at once. Send it after these."), { ...values, limit: files });
  }
  return "";
}

function handOver(files) {
  const input = field();
  if (!input || input.disabled) return;
  const kept = new DataTransfer();
  refused = [];
  for (const file of files) {
    takenBack.delete(file.name);
    const reason = refusal(file, kept.files.length);
    if (reason) refused.push({ name: file.name, words: reason, state: "failed" });
    else kept.items.add(file);
  }
  show();
  if (!kept.files.length) return;
  input.files = kept.files;
  const event = new Event("change", { bubbles: true });
  handed.add(event);
  input.dispatchEvent(event);
}

function button(words, name, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.setAttribute("aria-label", name);
  made.addEventListener("click", () => pressed(made));
  return made;
}

function act(work, row) {
  return async (pressed) => {
    pressed.disabled = true;
    const told = await work(row.document);
    if (told) row.line.querySelector(".xnai-state").textContent = told;
    else row.line.remove();
    if (!told && work === readAgain) document.getElementById("xnai-documents")?.click();
  };
}

function takeBack(row) {
  const chip = row.new && chipOf(row.name);
  if (chip) chip.querySelector("button").click();
  else act(deleteDocument, row)(row.line.querySelector("button"));
}

// The row goes on saying how the reading goes, in the server's words.
async function tryAgain(row, pressed) {
  if (!row.new) return act(readAgain, row)(pressed);
  pressed.disabled = true;
  const told = await readAgain(row.document);
  if (told) row.line.querySelector(".xnai-state").textContent = told;
  return undefined;
}

function dismiss(row) {
  refused = refused.filter((one) => one !== row);
  row.line.remove();
}

function lineOf(row) {
  const line = document.createElement("li");
  line.className = `xnai-is-${row.state}`;
  const words = document.createElement("span");
  words.className = "xnai-state";
  words.dir = "auto";
  words.textContent = row.words;
  line.append(words);
  row.line = line;
  if (row.state === "reading" || row.state === "waiting") {
    const bar = document.createElement("progress");
    bar.max = 100;
    if (row.share != null) bar.value = row.share;
    bar.setAttribute("aria-label", row.name);
    line.append(bar);
  }
  if (row.state === "reading") line.append(button(say("Cancel"), fill(say("Cancel {file}"), { file: row.name }), () => takeBack(row)));
  if (row.again) line.append(button(say("Try again"), fill(say("Try {file} again"), { file: row.name }), (pressed) => tryAgain(row, pressed)));
  if (row.state === "failed") line.append(button("×", say("Dismiss"), () => dismiss(row)));
  return line;
}

function list() {
  const known = document.getElementById("xnai-files");
  const composer = document.getElementById("message-composer");
  if (!composer) return null;
  if (known && known.nextElementSibling === composer) return known;
  const made = known ?? document.createElement("ul");
  made.id = "xnai-files";
  made.setAttribute("aria-label", say("Files"));
  made.setAttribute("aria-live", "polite");
  composer.before(made);
  return made;
}

// A row that stays keeps its button, and the focus in it.
function show() {
  const shown = list();
  if (!shown) return;
  const rows = [...refused, ...latest.filter((row) => !(row.new && takenBack.has(row.name)))];
  for (const { document: id, ...row } of latest) {
    if (!id || !row.new || !takenBack.has(row.name) || deleted.has(id)) continue;
    deleted.add(id);
    deleteDocument(id);
  }
  const focused = shown.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : "";
  shown.replaceChildren(...rows.map(lineOf));
  if (focused) shown.querySelector(`button[aria-label="${CSS.escape(focused)}"]`)?.focus();
}

function pasted(file) {
  if (!NAMELESS.test(file.name)) return file;
  const moment = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return new File([file], file.name.replace("image", `pasted-${moment}`), { type: file.type });
}

function installTakingBack() {
  document.addEventListener("click", (event) => {
    const chip = event.target.closest?.("#attachments button") && event.target.closest("#attachments > *");
    if (!chip) return;
    takenBack.add(labelOf(chip));
    show();
  }, true);
}

export function installFiles() {
  installDropping(() => Boolean(field()), handOver);
  installTakingBack();
  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // Words that come with a picture of them are what was meant.
    if (!files.length || event.clipboardData.types.includes("text/plain") || !field()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    handOver(files.map(pasted));
  }, true);
  window.addEventListener("change", (event) => {
    if (event.target !== field() || handed.has(event)) return;
    event.stopImmediatePropagation();
    handOver([...event.target.files]);
  }, true);
  onMessage("xnai:files", ({ rows }) => {
    latest = rows;
    if (!rows.length) refused = [];
    show();
  });
}
