// Where somebody was, in case they have to sign in again.
const KEY = "xnai:place";

export function lastPlace() {
  const place = sessionStorage.getItem(KEY) ?? "";
  return /^\/thread\/[0-9a-f-]{36}$/.test(place) ? place : "";
}

export function keepPlace() {
  window.addEventListener("pagehide", () => sessionStorage.setItem(KEY, window.location.pathname));
}
