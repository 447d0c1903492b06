// A question that was refused goes back to where it was typed.
import { onMessage } from "./messages.js";

onMessage("xnai:unsent", ({ text }) => {
  const input = document.getElementById("chat-input");
  if (!input) return;
  input.focus();
  document.execCommand("insertText", false, text);
});
