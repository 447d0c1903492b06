// A PDF by pdf.js, which is served from here: all pages, text to select and to find, zoom.
import { drawLayer, layersOf } from "./layer.js";
import { addRecognised } from "./recognised.js";
import { say } from "./texts.js";

const PDFJS = "/public/vendor/pdfjs-dist";
const FIT = "page-width";
const ABOVE = 0.3; // of the height, that is left over the passage

let library = null; // loaded with the first PDF

function load() {
  library ??= (async () => {
    const pdfjs = await import(`${PDFJS}/build/pdf.min.mjs`);
    pdfjs.GlobalWorkerOptions.workerSrc = `${PDFJS}/build/pdf.worker.min.mjs`;
    return { pdfjs, views: await import(`${PDFJS}/web/pdf_viewer.mjs`) };
  })();
  library.catch(() => (library = null));
  return library;
}

// Of its words pdf.js says none by itself: the page says them.
const SILENT = { getLanguage: () => document.documentElement.lang, getDirection: () => "ltr", get: async () => "" };
for (const name of ["translate", "translateOnce", "destroy"]) SILENT[name] = async () => {};
for (const name of ["pause", "resume"]) SILENT[name] = () => {};

function stage(frame) {
  const inner = document.createElement("div");
  inner.className = "pdfViewer";
  const outer = document.createElement("div");
  outer.className = "xnai-scroll";
  outer.tabIndex = 0;
  outer.setAttribute("role", "document");
  outer.setAttribute("aria-label", frame.querySelector("img").alt);
  outer.append(inner);
  return { outer, inner };
}

function viewerOf(views, pdfjs, { outer, inner }, signal) {
  const eventBus = new views.EventBus();
  const linkService = new views.PDFLinkService({ eventBus });
  linkService.externalLinkEnabled = false; // a document is read here; it leads nowhere else
  const findController = new views.PDFFindController({ eventBus, linkService });
  const viewer = new views.PDFViewer({
    container: outer,
    viewer: inner,
    eventBus,
    linkService,
    findController,
    l10n: SILENT,
    removePageBorders: true,
    annotationMode: pdfjs.AnnotationMode.ENABLE,
    annotationEditorMode: pdfjs.AnnotationEditorType.DISABLE,
    enableAutoLinking: false,
    enableSelectionRendering: false,
    abortSignal: signal,
  });
  linkService.setViewer(viewer);
  return { viewer, eventBus, linkService };
}

function showMatches(frame, { eventBus }) {
  const output = frame.querySelector(".xnai-find output");
  const tell = ({ matchesCount: { current, total } }) => {
    const asked = frame.querySelector(".xnai-find input").value;
    output.textContent = asked ? `${current}/${total}` : "";
  };
  eventBus.on("updatefindmatchescount", tell);
  eventBus.on("updatefindcontrolstate", tell);
}

function actionsOf(frame, { viewer, eventBus }, toPassage) {
  const query = () => frame.querySelector(".xnai-find input").value;
  const find = (type, backwards = false) =>
    query()
      ? eventBus.dispatch("find", { type, query: query(), caseSensitive: false, entireWord: false, highlightAll: true, findPrevious: backwards, matchDiacritics: false })
      : eventBus.dispatch("findbarclose", {});
  const turn = (to) => {
    viewer.currentPageNumber = Math.min(Math.max(to, 1), viewer.pagesCount);
  };
  return {
    before: () => turn(viewer.currentPageNumber - 1),
    after: () => turn(viewer.currentPageNumber + 1),
    page: (number) => {
      if (Number.isInteger(number)) turn(number);
      frame.querySelector(".xnai-page-number").value = viewer.currentPageNumber;
    },
    larger: () => viewer.increaseScale(),
    smaller: () => viewer.decreaseScale(),
    fit: () => (viewer.currentScaleValue = FIT),
    passage: toPassage,
    find: () => find(""),
    "find-before": () => find("again", true),
    "find-after": () => find("again"),
  };
}

// Once the reader has been moved by hand, it moves by itself no more.
function untouched(outer) {
  let is = true;
  for (const name of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    outer.addEventListener(name, () => (is = false), { once: true, passive: true });
  }
  return () => is;
}

export async function openPdf(frame, signal) {
  const { page, cited, start, end, recognised } = frame.dataset;
  const layer = layersOf(frame.dataset, signal);
  const hasPassage = Number(end) > Number(start);
  if (hasPassage) layer(Number(cited)); // is looked for meanwhile
  const { pdfjs, views } = await load();
  const task = pdfjs.getDocument({
    url: `/v1/files/${frame.dataset.id}/content`,
    cMapUrl: `${PDFJS}/cmaps/`,
    cMapPacked: true,
    standardFontDataUrl: `${PDFJS}/standard_fonts/`,
    wasmUrl: `${PDFJS}/wasm/`,
    iccUrl: `${PDFJS}/iccs/`,
    enableXfa: false,
  });
  signal.addEventListener("abort", () => task.destroy());
  const pdf = await task.promise;
  if (signal.aborted) throw new Error("closed");
  if (recognised !== undefined) addRecognised(pdf, async (number) => (await layer(number)).words);

  const main = frame.closest(".xnai-page");
  const parts = stage(frame);
  main.classList.add("xnai-live");
  frame.querySelector(".xnai-stage").append(parts.outer);
  const shown = viewerOf(views, pdfjs, parts, signal);
  const { viewer, eventBus, linkService } = shown;
  const isUntouched = untouched(parts.outer);

  async function toPassage() {
    const { marks } = await layer(Number(cited));
    if (signal.aborted) return;
    const view = viewer.getPageView(Number(cited) - 1);
    viewer.currentPageNumber = Number(cited);
    const top = Math.min(...marks.map((box) => box[1]), 1);
    if (!marks.length || !view) return;
    const above = ABOVE * parts.outer.clientHeight;
    parts.outer.scrollTop = view.div.offsetTop + top * view.div.clientHeight - above;
  }

  eventBus.on("pagesinit", () => {
    viewer.currentScaleValue = FIT;
    viewer.currentPageNumber = Math.min(Number(page) || 1, viewer.pagesCount);
    if (hasPassage && page === cited) {
      layer(Number(cited)).then(() => {
        if (isUntouched()) toPassage();
      });
    }
  });
  eventBus.on("pagechanging", ({ pageNumber }) => {
    frame.querySelector(".xnai-page-number").value = pageNumber;
  });
  eventBus.on("pagerendered", async ({ pageNumber, source }) => {
    frame.querySelector(".xnai-picture")?.remove();
    source.div.setAttribute("aria-label", say("Page {page}").replace("{page}", pageNumber));
    if (!hasPassage || pageNumber !== Number(cited)) return;
    drawLayer(source.div, { ...(await layer(pageNumber)), words: [] });
  });
  showMatches(frame, shown);
  linkService.setDocument(pdf, null);
  viewer.setDocument(pdf);
  const acts = actionsOf(frame, shown, toPassage);
  const wider = new ResizeObserver(() => {
    if (viewer.currentScaleValue === FIT) viewer.currentScaleValue = FIT;
  });
  wider.observe(parts.outer);
  return {
    act: (name, value) => acts[name]?.(value),
    close: () => {
      wider.disconnect();
      viewer.setDocument(null);
      linkService.setDocument(null, null);
      task.destroy();
    },
  };
}
