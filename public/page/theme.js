// Colours of our own pages before anything is painted: what was chosen in the chat, else the system's.
(() => {
  "use strict";
  const chosen = localStorage.getItem("vite-ui-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.classList.add(chosen);
})();
