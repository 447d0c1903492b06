// Questions that may be asked next, below the answer that they follow on; pressed, they are asked.
import { onMessage } from "./messages.js";
import { say } from "./texts.js";

let offered = null; // { message, questions } as the server told it last
let box = null;

function ask(words) {
  const input = document.getElementById("chat-input");
  if (!input) return;
  input.focus();
  document.execCommand("selectAll");
  document.execCommand("insertText", false, words);
  requestAnimationFrame(() => document.getElementById("chat-submit")?.click());
}

function build({ questions }) {
  const made = document.createElement("div");
  made.className = "xnai-next";
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", say("Questions to go on with"));
  for (const words of questions) {
    const button = document.createElement("button");
    button.type = "button";
    button.dir = "auto";
    button.textContent = words;
    button.addEventListener("click", () => ask(words));
    made.append(button);
  }
  return made;
}

// They are gone as soon as something comes after that answer.
function draw() {
  const messages = [...document.querySelectorAll("[data-step-type='user_message'], [data-step-type='assistant_message']")];
  const last = messages.at(-1)?.querySelector("[id^='step-']");
  const is = offered && last?.id === `step-${offered.message}`;
  if (!is) {
    box?.remove();
    box = null;
    return;
  }
  if (box?.isConnected) return;
  box = build(offered);
  last.after(box);
}

export function installNext() {
  onMessage("xnai:next", (told) => {
    box?.remove();
    box = null;
    offered = told;
    draw();
  });
  let waits = false;
  new MutationObserver(() => {
    if (!waits && offered) requestAnimationFrame(() => {
      waits = false;
      draw();
    });
    waits = Boolean(offered);
  }).observe(document.getElementById("root"), { childList: true, subtree: true });
}
