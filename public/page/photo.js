// A photo: as wide as there is room, or larger; its words, which were recognised, can be selected.
import { drawLayer, layersOf } from "./layer.js";

const STEP = 1.25;
const MOST = 8;

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
  };
  frame.querySelector(".xnai-pages").hidden = true;
  return { act: (name) => acts[name]?.(), close: () => {} };
}
