// The labeler on a page of its own: requests to the server that the page came from.

import { mount } from "./labeler.js";
import { Refusal } from "./saves.js";

// A reload is the same tab, so that it is shown the same items again.
const tab = sessionStorage.getItem("skactive-tab") ?? String(Math.random());
sessionStorage.setItem("skactive-tab", tab);

async function call(action, payload = {}) {
  const response = await fetch(`api/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...payload, tab }),
  });
  if (response.status === 503) {
    throw new Error("the server is busy");
  }
  const answer = await response.json();
  if (!response.ok) {
    throw new Refusal(answer.error ?? `refused (${response.status})`, answer.item);
  }
  return answer;
}

// The cookie has the token by now: it need not stay in the address, the history, a screenshot.
if (location.search.includes("token=")) {
  history.replaceState(null, "", location.pathname);
}

const memory = {
  get: (name) => localStorage.getItem(`skactive-${name}`),
  set: (name, value) => localStorage.setItem(`skactive-${name}`, value),
};

mount(document.getElementById("labeler"), { call, memory, keys: document });
