// A photo: as wide as there is room, or larger; its words, which were recognised, can be selected and
// found.
import { drawLayer, layersOf } from "./layer.js";

const STEP = 1.25;
const MOST = 8;

// Finds words that stand beside each other; each match is the spans it stands in.
class Finder {
  constructor(sheet, output) {
    this.spans = [...sheet.querySelectorAll(".xnai-layer span")];
    this.output = output;
    this.matches = [];
    this.now = 0;
  }

  find(words) {
    const ends = [];
    let text = "";
    for (const span of this.spans) ends.push((text += span.textContent.toLowerCase()).length);
    const query = words.trim().toLowerCase().replace(/\s+/g, " ");
    this.matches = [];
    for (let at = query ? text.indexOf(query) : -1; at >= 0; at = text.indexOf(query, at + query.length)) {
      this.matches.push(this.spans.filter((_, i) => ends[i] > at && (ends[i - 1] ?? 0) < at + query.length));
    }
    this.now = 0;
    this.show(Boolean(query));
  }

  turn(by) {
    this.now = (this.now + by + this.matches.length) % (this.matches.length || 1);
    this.show(true);
  }

  show(asked) {
    const current = new Set(this.matches[this.now]);
    const found = new Set(this.matches.flat());
    for (const span of this.spans) {
      span.classList.toggle("xnai-found", found.has(span));
      span.classList.toggle("xnai-current", current.has(span));
    }
    const { length } = this.matches;
    this.output.textContent = asked ? `${length ? this.now + 1 : 0}/${length}` : "";
    this.matches[this.now]?.[0].scrollIntoView({ block: "center", inline: "nearest" });
  }
}

export async function openPhoto(frame, signal) {
  const { page, cited, start, end } = frame.dataset;
  const image = frame.querySelector("img");
  const layer = await layersOf(frame.dataset, signal)(Number(page));
  await image.decode();
  const sheet = document.createElement("div");
  sheet.className = "xnai-sheet";
  image.replaceWith(sheet);
  sheet.append(image);
  // The picture has the marks already.
  drawLayer(sheet, { marks: [], words: layer.words });
  const finder = new Finder(sheet, frame.querySelector(".xnai-find output"));
  let zoom = 1;
  const widen = (to) => {
    zoom = Math.min(Math.max(to, 1), MOST);
    sheet.style.setProperty("width", `${100 * zoom}%`);
  };
  const acts = {
    larger: () => widen(zoom * STEP),
    smaller: () => widen(zoom / STEP),
    fit: () => widen(1),
    passage: () => {
      const [box] = page === cited && end > start ? layer.marks : [];
      if (box) frame.querySelector(".xnai-stage").scrollTo({ top: box[1] * sheet.clientHeight - 80 });
    },
    find: (words) => finder.find(words),
    "find-before": () => finder.turn(-1),
    "find-after": () => finder.turn(1),
  };
  frame.querySelector(".xnai-pages").hidden = true;
  return { act: (name, value) => acts[name]?.(value), close: () => {} };
}
