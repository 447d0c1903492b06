// A citation whose document has changed offers to ask again: the question comes back to the input,
// and whoever asked it sends it.
function questionBefore(link) {
  const before = [...document.querySelectorAll('[data-step-type="user_message"]')].filter(
    (one) => link.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING,
  );
  return (before.at(-1)?.querySelector(".message-content") ?? before.at(-1))?.textContent.trim() ?? "";
}

// Shows the button of a page in the panel if the link that opened it stands below a question.
export function offerAgain(page, link, close) {
  const button = page.querySelector("[data-ask-again]");
  const question = button && link?.isConnected ? questionBefore(link) : "";
  const input = document.getElementById("chat-input");
  if (!question || !input) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    close();
    input.focus();
    document.execCommand("insertText", false, question);
  });
}
