// A chat as a file.
import { say } from "./texts.js";

function get(thread, form) {
  const link = document.createElement("a");
  link.href = `/conversations/${thread}?as=${form}`;
  link.download = "";
  link.click();
}

export const exportEntries = (thread) => [
  [say("Export as Markdown"), () => get(thread, "md")],
  [say("Export as JSON"), () => get(thread, "json")],
];
