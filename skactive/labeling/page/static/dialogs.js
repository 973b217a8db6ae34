// Windows that ask for one thing and give it back, or null where they are closed.

import { el, uniqueId } from "./dom.js";

function ask(root, title, ...content) {
  const heading = uniqueId("title");
  const dialog = el("dialog", { class: "sk-dialog", "aria-labelledby": heading });
  const close = el("button", { type: "button", class: "sk-quiet", onclick: () => dialog.close() }, "Close");
  dialog.append(el("h2", { id: heading }, title), ...content, close);
  root.append(dialog);
  const answer = new Promise((resolve) => {
    dialog.answer = null;
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.answer);
    });
  });
  dialog.showModal();
  return { dialog, answer };
}

function give(dialog, value) {
  dialog.answer = value;
  dialog.close();
}

/** Why an item is skipped: one of the reasons, by click, number or letter. */
export function askReason(root, reasons) {
  const list = el("div", { class: "sk-choices", role: "group", "aria-label": "Reasons" });
  const { dialog, answer } = ask(root, "Skip: why?", list);
  reasons.forEach((reason, i) => {
    const hint = i < 9 ? el("kbd", { "aria-hidden": "true" }, String(i + 1)) : null;
    list.append(el("button", { type: "button", onclick: () => give(dialog, reason) }, hint, el("span", {}, reason)));
  });
  dialog.addEventListener("keydown", (event) => {
    const number = Number(event.key);
    if (event.key !== " " && number >= 1 && number <= Math.min(9, reasons.length)) {
      event.preventDefault();
      give(dialog, reasons[number - 1]);
    }
  });
  list.firstElementChild.focus();
  return answer;
}

/** A note on an item; Ctrl+Enter saves it. */
export function askNote(root, name, longest) {
  const field = el("textarea", { rows: 4, maxLength: longest, "aria-label": `Note on ${name}` });
  const save = el("button", { type: "submit", class: "sk-main" }, "Save note");
  const form = el("form", {}, field, save);
  const { dialog, answer } = ask(root, `Note on ${name}`, form);
  const submit = (event) => {
    event.preventDefault();
    give(dialog, field.value.trim() || null);
  };
  form.addEventListener("submit", submit);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      submit(event);
    }
  });
  field.focus();
  return answer;
}

/** The keys there are, and whether single letters and numbers are read. */
export function showHelp(root, keys, lettersOn) {
  const body = el("tbody");
  for (const [key, what] of keys) {
    body.append(el("tr", {}, el("td", {}, el("kbd", {}, key)), el("td", { dir: "auto" }, what)));
  }
  const box = el("input", { type: "checkbox", checked: lettersOn });
  const label = el("label", { class: "sk-check" }, box, "Read single keys (turn off for speech input)");
  const { dialog, answer } = ask(
    root, "Keys", el("div", { class: "sk-table", tabIndex: 0 }, el("table", {}, body)), label,
  );
  box.addEventListener("change", () => { dialog.answer = box.checked; });
  return answer;
}
