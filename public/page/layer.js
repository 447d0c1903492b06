// What lies over a page that is shown as it looks: the marked passage, and words that the page has
// as a picture only, to be selected and found.

function placed(name, [left, top, right, bottom]) {
  const box = document.createElement(name);
  const at = { left, top, width: right - left, height: bottom - top };
  for (const [side, share] of Object.entries(at)) box.style.setProperty(side, `${100 * share}%`);
  return box;
}

// Words are as high as they stand there, and made as wide.
function fit(words, height) {
  const widths = words.map(([span, box]) => [span, box, span.scrollWidth || 1]);
  for (const [span, [left, , right], width] of widths) {
    const wanted = (right - left) * height.width;
    span.style.setProperty("transform", `scaleX(${wanted / width})`);
  }
}

export function drawLayer(page, { marks, words }) {
  page.querySelector(":scope > .xnai-layer")?.remove();
  const layer = document.createElement("div");
  layer.className = "xnai-layer";
  for (const box of marks) {
    const mark = placed("mark", box);
    mark.setAttribute("aria-hidden", "true");
    layer.append(mark);
  }
  const spans = words.map(([text, ...box]) => {
    const span = placed("span", box);
    span.textContent = `${text} `;
    span.style.setProperty("font-size", `${100 * (box[3] - box[1])}cqh`);
    layer.append(span);
    return [span, box];
  });
  page.append(layer);
  fit(spans, layer.getBoundingClientRect());
}

export function layersOf({ id, cited, start, end }, signal) {
  const asked = new Map();
  return (page) => {
    const place = page === Number(cited) ? `&start=${start}&end=${end}` : "";
    if (!asked.has(page)) {
      const told = fetch(`/reader/${id}/layer?page=${page}${place}`, { signal })
        .then((response) => (response.ok ? response.json() : { marks: [], words: [] }))
        .catch(() => ({ marks: [], words: [] }));
      asked.set(page, told);
    }
    return asked.get(page);
  };
}
