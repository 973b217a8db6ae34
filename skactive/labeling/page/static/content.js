// What an item looks like: an image, a text, a table row, or the user's own HTML.

import { el } from "./dom.js";

const SMALL = 160; // images narrower than this show their pixels as squares
const LINE = 24; // characters of a value that stay in one line

const KINDS = {
  image({ src, width, height }, name) {
    const image = el("img", { src, alt: `Image of ${name}`, draggable: false });
    if (width && height) {
      image.width = width;
      image.height = height;
      image.classList.toggle("sk-pixels", Math.max(width, height) < SMALL);
    }
    image.onerror = () => image.replaceWith(problem(`The image of ${name} cannot be shown.`));
    return image;
  },

  text({ text }) {
    return el("div", { class: "sk-text", dir: "auto", tabIndex: 0, textContent: text });
  },

  table({ rows }) {
    const body = el("tbody");
    for (const [column, value] of rows) {
      const cell = value === null ? el("td", { class: "sk-missing" }, "missing")
        : el("td", { class: value.length > LINE ? "sk-long" : "sk-short", dir: "auto", textContent: value });
      body.append(el("tr", {}, el("th", { scope: "row", dir: "auto", textContent: column }), cell));
    }
    return el("div", { class: "sk-table", tabIndex: 0 }, el("table", {}, body));
  },

  // No script of it runs, it reaches nothing of this page and nothing elsewhere.
  html({ src, srcdoc }, name) {
    const frame = el("iframe", { title: `Content of ${name}`, class: "sk-frame" });
    frame.setAttribute("sandbox", "");
    if (srcdoc === undefined) {
      frame.src = src;
    } else {
      frame.srcdoc = srcdoc;
    }
    return frame;
  },

  problem({ text }) {
    return problem(text);
  },
};

function problem(text) {
  return el("p", { class: "sk-problem", role: "alert", textContent: text });
}

/** The element that shows an item. */
export function shown(item) {
  return (KINDS[item.content.kind] ?? KINDS.problem)(item.content, item.name);
}

/** What of an item a screen reader is told beyond its name. */
export function spoken(item) {
  const { kind, text, rows } = item.content;
  if (kind === "text") {
    return text.length > 300 ? `${text.slice(0, 300)} …` : text;
  }
  if (kind === "table") {
    return rows.slice(0, 12).map(([column, value]) => `${column}: ${value ?? "missing"}`).join("; ");
  }
  return "";
}

/** Let the browser fetch an image before it is asked for. */
export function prefetch(item) {
  if (item.content.kind === "image") {
    new Image().src = item.content.src;
  }
}
