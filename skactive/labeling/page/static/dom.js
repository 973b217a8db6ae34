// Elements made of text: nothing that comes from the pool is ever parsed as HTML.

/**
 * An element. Properties that are functions listen (`onclick`), `class` and names with a dash are
 * attributes, all others properties; children are elements or text.
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class" || name === "role" || name === "for" || name.includes("-")) {
      element.setAttribute(name, value);
    } else {
      element[name] = value;
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

let made = 0;

/** An id that no other element of the document has. */
export function uniqueId(name) {
  made += 1;
  return `sk-label-${name}-${made}`;
}

/** Wait for some milliseconds. */
export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
