// What Chainlit's page has no place for: how the server is doing, and the list of documents.
(() => {
  "use strict";

  const FAST = 1500; // ms between two looks while something is going on
  const SLOW = 5000;
  const BACK = 8000; // that good news stays

  const line = document.createElement("div");
  line.id = "xnai-status";
  line.setAttribute("role", "status");
  line.hidden = true;

  const minutes = (seconds) =>
    seconds == null
      ? ""
      : seconds < 90
        ? `, about ${Math.max(1, Math.round(seconds))} s left`
        : `, about ${Math.round(seconds / 60)} min left`;

  function show(text, progress, down) {
    line.replaceChildren();
    if (progress != null) {
      const bar = document.createElement("span");
      bar.className = "bar";
      const done = document.createElement("i");
      done.style.width = `${Math.round(progress * 100)}%`;
      bar.append(done);
      line.append(bar);
    }
    line.append(text);
    line.title = text;
    line.classList.toggle("down", Boolean(down));
    line.hidden = !text;
  }

  let waiting = false; // the page has said that the model is not asked

  // The breaker that keeps questions from every model there is, if one does.
  function paused(health) {
    const breakers = Object.entries(health.breakers ?? {}).filter(
      ([name]) => name === "model" || name.startsWith("endpoint:"),
    );
    const shut = breakers.filter(([, one]) => ["open", "forced_open", "half_open"].includes(one.state));
    return breakers.length > 0 && shut.length === breakers.length ? shut[0][1] : null;
  }

  function describe(health) {
    const search = health.dependencies.search;
    if (search.state !== "ready") {
      show(search.detail || "Opening the documents", null, search.state === "down");
      return FAST;
    }
    const pause = paused(health);
    if (pause) {
      waiting = true;
      const next = pause.retry_in == null ? "" : ` Next attempt in about ${Math.ceil(pause.retry_in)} s.`;
      show(`No answers at the moment, only passages of your documents: ${pause.reason}.${next}`, null, true);
      return FAST;
    }
    switch (health.model) {
      case "ready":
        if (waiting) {
          waiting = false;
          show("The model answers again. Ask once more for a full answer.");
          return BACK;
        }
        show("");
        return SLOW;
      case "preparing": {
        const share = health.progress != null ? ` ${Math.round(health.progress * 100)} %` : "";
        show(
          `First start: compiling the model engine${share}${minutes(health.eta_seconds)}. ` +
            "Documents can be searched now.",
          health.progress,
        );
        return FAST;
      }
      case "loading":
        show(health.model_detail || "Loading the model");
        return FAST;
      default:
        show(health.model_detail || "The model is not running", null, true);
        return FAST;
    }
  }

  async function look() {
    let next = FAST;
    try {
      const response = await fetch("/health/ready", { cache: "no-store" });
      next = describe(await response.json());
    } catch {
      show("The server does not answer. Is it still running?", null, true);
    }
    setTimeout(look, next);
  }

  // Chainlit draws its header anew now and then, so the button is put back when it is missing.
  function addButton() {
    const header = document.getElementById("header");
    if (!header || document.getElementById("xnai-documents")) return;
    const button = document.createElement("button");
    button.id = "xnai-documents";
    button.type = "button";
    button.textContent = "Documents";
    button.addEventListener("click", () =>
      window.postMessage("xnai:documents", window.location.origin),
    );
    header.lastElementChild.prepend(button);
  }

  // A question that was refused goes back to where it was typed.
  window.addEventListener("message", (event) => {
    const { type, text } = event.data ?? {};
    const input = document.getElementById("chat-input");
    if (event.origin !== window.location.origin || type !== "xnai:unsent" || !input) return;
    input.focus();
    document.execCommand("insertText", false, text);
  });

  document.body.append(line);
  new MutationObserver(addButton).observe(document.body, { childList: true, subtree: true });
  addButton();
  look();
})();
