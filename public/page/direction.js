// Each message is written from the side that its own first letters are, whatever the page is.
const WRITTEN = ".message-content";

function direct(root) {
  const found = [...(root.matches?.(WRITTEN) ? [root] : []), ...(root.querySelectorAll?.(WRITTEN) ?? [])];
  for (const one of found) one.dir = "auto";
}

export function installDirection() {
  new MutationObserver((changes) => {
    for (const change of changes) change.addedNodes.forEach(direct);
  }).observe(document.body, { childList: true, subtree: true });
  direct(document.body);
}
