// What the server tells our modules, as { type: "xnai:…" }; Chainlit would send it back to the server.
const handlers = new Map();

export function onMessage(type, handle) {
  handlers.set(type, handle);
}

window.addEventListener("message", (event) => {
  const handle = handlers.get(event.data?.type);
  if (!handle || event.origin !== window.location.origin) return;
  event.stopImmediatePropagation();
  handle(event.data);
});
