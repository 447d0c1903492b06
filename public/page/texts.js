// What our modules say, in the language that the browser asks for; in English until it is there.
let texts = {};

export const say = (text) => texts[text] ?? text;

// The server speaks the languages that it has; Chainlit's own words may be in others.
export const textsReady = fetch("/pages/texts.json")
  .then((response) => (response.ok ? response.json() : null))
  .then((told) => {
    if (!told) return;
    texts = told.texts;
    document.documentElement.lang = told.language;
    document.documentElement.dir = told.direction;
  })
  .catch(() => {});
