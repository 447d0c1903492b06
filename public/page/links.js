// What a model or a document wrote is shown in these. xnai/ui/links.py breaks its links; should one
// pass, it is taken here before it is painted: a mutation is told before anything else happens.
const WRITTEN = ".message-content, .step, #side-view-content, .xnai-words";
const LINKS = "a[href], area[href]";

function leadsOutside(link) {
  try {
    const { protocol, origin } = new URL(link.href, document.baseURI);
    // The origin of a blob: is that of the page that made it; mailto: and others have none.
    return !["http:", "https:", "blob:"].includes(protocol) || origin !== window.location.origin;
  } catch {
    return true;
  }
}

function disarm(root) {
  const links = [...(root.matches?.(LINKS) ? [root] : []), ...(root.querySelectorAll?.(LINKS) ?? [])];
  for (const link of links) {
    if (!link.closest(WRITTEN) || !leadsOutside(link)) continue;
    link.removeAttribute("href");
    link.removeAttribute("target");
    link.classList.add("xnai-no-link");
  }
}

export function installLinks() {
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "attributes") disarm(change.target);
      else change.addedNodes.forEach(disarm);
    }
  }).observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["href"],
  });
  disarm(document.body);
}
