// What somebody should know who has never seen this page, under its name.
import { say } from "./texts.js";

const begin = () => say("Drop a file here, or press the paper clip, and ask about it.");
const here = () =>
  say("A language model on this machine answers and shows the place it has read. Your files, questions and answers stay on this machine.");
const elsewhere = () =>
  say("A language model answers and shows the place it has read. Your files stay on this machine; questions, and the places found for them, go to the address of the model that this server has.");

export function addWelcome() {
  const logo = document.querySelector("#welcome-screen .logo");
  if (!logo || document.getElementById("xnai-welcome")) return;
  const words = document.createElement("p");
  words.id = "xnai-welcome";
  const where = document.documentElement.dataset.model === "elsewhere" ? elsewhere() : here();
  words.textContent = `${begin()} ${where}`;
  logo.after(words);
}
