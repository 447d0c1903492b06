// The line at the top that says how the server is doing, in the server's words.
import { onMessage } from "./messages.js";
import { say } from "./texts.js";

const line = document.createElement("div");
line.id = "xnai-status";
line.setAttribute("role", "status");
line.dir = "auto";
line.hidden = true;

let counting = 0; // the timer of a countdown

function bar(progress) {
  const frame = document.createElement("span");
  frame.className = "bar";
  const done = document.createElement("i");
  done.style.width = `${Math.round(progress * 100)}%`;
  frame.append(done);
  return frame;
}

function show(text, progress, down) {
  line.replaceChildren(...(progress == null ? [] : [bar(progress)]), text);
  line.title = text;
  line.classList.toggle("down", down);
  line.hidden = !text;
}

function tell({ text, progress, is_down: down, next_attempt: wait }) {
  clearInterval(counting);
  if (wait == null) {
    show(text, progress, down);
    return;
  }
  const until = Date.now() + 1000 * wait;
  const count = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    const time = say("{number} s").replace("{number}", left);
    const next = say("Next attempt in about {time}.").replace("{time}", time);
    show(left > 0 ? `${text} ${next}` : text, progress, down);
    if (left <= 0) clearInterval(counting);
  };
  counting = setInterval(count, 1000);
  count();
}

export function installStatus() {
  onMessage("xnai:status", tell);
  document.body.append(line);
}
