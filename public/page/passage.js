// The marked words of a document come into sight; on a page's picture the server has marked them.
export function showPassage(root) {
  root.querySelector(".xnai-words:not(details *) mark")?.scrollIntoView({ block: "center" });
}
