// The labeler in a notebook: messages to the kernel that has the session.

import { mount } from "./labeler.js";
import { Refusal } from "./saves.js";

const PATIENCE = 60000; // milliseconds: a busy kernel answers when its cell is done

function kernel(model) {
  const waiting = new Map();
  const view = String(Math.random()); // every view of the widget hears every answer
  let sent = 0;
  model.on("msg:custom", ({ to, answer, error, item, failed }) => {
    const { resolve, reject } = waiting.get(to) ?? {};
    waiting.delete(to);
    if (error !== undefined) {
      reject?.(failed ? new Error(error) : new Refusal(error, item));
    } else {
      resolve?.(answer);
    }
  });
  return (action, payload = {}) => new Promise((resolve, reject) => {
    const number = `${view}-${sent++}`;
    waiting.set(number, { resolve, reject });
    setTimeout(() => waiting.delete(number) && reject(new Error("the kernel does not answer")), PATIENCE);
    model.send({ number, action, payload: { ...payload, tab: view } });
  });
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "sk-label sk-widget";
  root.tabIndex = -1;
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab's own keys
  const stored = new Map();
  const memory = { get: (name) => stored.get(name) ?? null, set: (name, value) => stored.set(name, value) };
  el.append(root);
  return mount(root, { call: kernel(model), memory, keys: root });
}

export default { render };
