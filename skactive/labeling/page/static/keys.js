// Which key does what.

const ARROWS = { ArrowLeft: "back", ArrowRight: "forward", ArrowUp: "up", ArrowDown: "down" };
const SIGNS = { Backspace: "undo", "-": "skip", ".": "note", "?": "help", "/": "find" };
const LETTERS = { u: "undo", s: "skip", n: "note", b: "back" };

/** A map from keys to `{ label: class }` or `{ act: name }`; letters of classes come first. */
export function bindings(classes) {
  const map = new Map();
  for (const [key, act] of Object.entries({ ...ARROWS, ...SIGNS, ...LETTERS })) {
    map.set(key, { act });
  }
  for (const one of classes) {
    if (one.key) {
      map.set(one.key, { label: one });
    }
  }
  return map;
}

/** The first key of an action as people call it. */
export function keyOf(map, act) {
  const names = { ArrowLeft: "←", ArrowRight: "→", Backspace: "⌫" };
  const order = act in { back: 1, forward: 1 } ? [...map.keys()] : [...map.keys()].reverse();
  const key = order.find((one) => map.get(one).act === act);
  return names[key] ?? key?.toUpperCase();
}

/** All keys with what they do, for the help window. */
export function described(map) {
  const words = {
    back: "back to the item before", forward: "forward again", up: "class before", down: "class after",
    undo: "undo the last label or skip (also Ctrl+Z)", skip: "skip, with a reason", note: "write a note",
    help: "this window", find: "find a class by its name",
  };
  const names = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
  const all = [...map].filter(([, { label }]) => label);
  const other = all.filter(([key, { label }]) => key !== label.name.toLowerCase());
  const labels = other.map(([key, { label }]) => [key.toUpperCase(), label.name]);
  if (other.length < all.length) {
    labels.unshift([all.find((one) => !other.includes(one))[0].toUpperCase(), "and others: the class of that name"]);
  }
  const acts = [...map].filter(([, { act }]) => act).map(([key, { act }]) => [names[key] ?? key.toUpperCase(), words[act]]);
  return [...labels, ...acts];
}

/** What a key press asks for, or null; `singleKeys` says whether letters and signs are read. */
export function meaning(map, event, singleKeys) {
  if (event.repeat || event.isComposing || event.altKey) {
    return null;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    return key === "z" && !event.shiftKey ? { act: "undo" } : null;
  }
  return key.length === 1 && !singleKeys ? null : map.get(key) ?? null;
}

/** Whether keys pressed here are text, or move within what has the focus. */
export function isTyping(target, key) {
  if (target.closest("input:not([type=checkbox]), textarea, select, dialog")) {
    return true;
  }
  return key.startsWith("Arrow") && target.closest(".sk-text, .sk-table") !== null
    && (target.scrollHeight > target.clientHeight || target.scrollWidth > target.clientWidth);
}
