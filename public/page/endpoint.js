// The form for a model at another address: it says where questions will go, and waits for a yes.
import { asked } from "./list.js";
import { say } from "./texts.js";

const ADDRESS = "/models/endpoint";

function hostOf(address) {
  try {
    return new URL(address).host || address;
  } catch {
    return address;
  }
}

export function openEndpoint(root, signal) {
  const section = root.querySelector(".xnai-endpoint");
  if (!section) return;
  const form = section.querySelector("form");
  const sure = section.querySelector(".xnai-sure");
  const tell = ({ wrong, told }) => (section.querySelector("[role='status']").textContent = wrong || told);
  const ask = (is) => {
    sure.hidden = !is;
    sure.querySelector("span").textContent = is ? say("Questions, and the places found for them, will be sent to {address}. A key is kept on this machine, and not shown again.").replace("{address}", hostOf(form.elements.url.value)) : "";
    (is ? sure.querySelector("[data-do='drop']") : form.elements.url).focus();
  };
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation(); // the panel takes every form for a search
    ask(true);
  }, { signal });
  form?.addEventListener("input", () => (sure.hidden = true), { signal }); // what is confirmed is what was said
  section.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !event.target.closest(".xnai-sure")) return;
    event.preventDefault(); // the panel stays open
    ask(false);
  }, { signal });
  section.addEventListener("click", async (event) => {
    const name = event.target.closest("[data-do]")?.dataset.do;
    if (name === "drop") ask(false);
    if (name === "forget") tell(await asked(ADDRESS, "DELETE"));
    if (name !== "send") return;
    const body = new FormData(form);
    body.set("confirmed", "yes");
    ask(false);
    const came = await asked(ADDRESS, "POST", false, body);
    tell(came);
    if (!came.wrong) form.reset();
  }, { signal });
}
