// Words that a page has as a picture only are given to pdf.js behind those of its own text: so it
// lays them over the picture, to be selected, and finds them as all others.
const FONT = "xnai-recognised";
const STYLES = { [FONT]: { fontFamily: "sans-serif", ascent: 0.8, descent: -0.2, vertical: false } };
const DESCENT = 0.2; // of the height of a word, below the line that it stands on
const NEAR = 0.015; // of the width of the page, between two words of a run
const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

// Words beside each other on a line are one run, as in the text of a PDF: so they are copied.
function runsOf(words) {
  const runs = [];
  for (const [text, left, top, right, bottom] of words) {
    const run = runs.at(-1);
    const box = run?.box ?? [0, 0, 0, 0];
    const together = Math.min(bottom, box[3]) - Math.max(top, box[1]);
    const gap = left - box[2];
    if (together > (bottom - top) / 2 && gap >= 0 && gap < NEAR) {
      run.text += ` ${text}`;
      run.box = [box[0], Math.min(top, box[1]), right, Math.max(bottom, box[3])];
    } else runs.push({ text, box: [left, top, right, bottom] });
  }
  return runs;
}

// A run is told by where its line begins and ends; a page may be turned.
function item(text, [left, top, right, bottom], viewport) {
  const at = (across, down) => viewport.convertToPdfPoint(across * viewport.width, down * viewport.height);
  const line = bottom - DESCENT * (bottom - top);
  const [[x, y], [toX, toY], [upX, upY]] = [at(left, line), at(right, line), at(left, line - (bottom - top))];
  const width = Math.hypot(toX - x, toY - y);
  const height = Math.hypot(upX - x, upY - y);
  const along = width ? [(toX - x) * (height / width), (toY - y) * (height / width)] : [height, 0];
  const dir = FROM_RIGHT.test(text) ? "rtl" : "ltr";
  return { str: text, dir, width, height, transform: [...along, upX - x, upY - y, x, y], fontName: FONT, hasEOL: true };
}

// A page may have words of its own beside its picture, which were recognised in it once more.
function without(own, words, viewport) {
  return words.filter(([, left, top, right, bottom]) => {
    const [x, y] = viewport.convertToPdfPoint(((left + right) / 2) * viewport.width, ((top + bottom) / 2) * viewport.height);
    return !own.some(({ transform: [, , , , from, line], width, height }) => x >= from && x <= from + width && y >= line - DESCENT * height && y <= line + height);
  });
}

function contentOf(found, own, page) {
  const viewport = page.getViewport({ scale: 1 });
  const words = without(own, found, viewport);
  const items = runsOf(words).map(({ text, box }) => item(text, box, viewport));
  return { items, styles: STYLES, lang: null };
}

function add(page, wordsOf) {
  const stream = page.streamTextContent.bind(page);
  page.streamTextContent = (options) => {
    const own = [];
    return stream(options).pipeThrough(
      new TransformStream({
        transform(part, controller) {
          own.push(...part.items.filter((one) => one.transform));
          controller.enqueue(part);
        },
        async flush(controller) {
          const words = await wordsOf(page.pageNumber);
          if (words.length) controller.enqueue(contentOf(words, own, page));
        },
      }),
    );
  };
}

export function addRecognised(pdf, wordsOf) {
  const known = new WeakSet();
  const getPage = pdf.getPage.bind(pdf);
  pdf.getPage = async (number) => {
    const page = await getPage(number);
    if (!known.has(page)) add(page, wordsOf);
    known.add(page);
    return page;
  };
}
