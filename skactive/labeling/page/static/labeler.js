// The labeler: one item at a time, a person's answer to it, and the way back.

import { shown, spoken, prefetch } from "./content.js";
import { askNote, askReason, showHelp } from "./dialogs.js";
import { el, pause, uniqueId } from "./dom.js";
import { bindings, described, isTyping, keyOf, meaning } from "./keys.js";
import { Refusal, Saves } from "./saves.js";

const AHEAD = 3; // items claimed before they are needed
const LOOK_AGAIN = [150, 2000]; // milliseconds, first and at most, while there is nothing to label
const REFRESH = 5000; // milliseconds between looks at the progress
const MANY = 20; // classes from which on a field finds them by name

/**
 * Put a labeler into an element.
 *
 * @param root the element
 * @param transport `call(action, payload)` asks the session; `memory` has `get` and `set` for the
 *   name and settings of the person; `keys` is the element or document whose keys are read
 * @returns a function that takes it away again
 */
export function mount(root, transport) {
  const labeler = new Labeler(root, transport);
  labeler.start();
  return () => labeler.stop();
}

class Labeler {
  constructor(root, { call, memory, keys }) {
    Object.assign(this, { root, call, memory, keys });
    this.items = []; // seen, then ahead
    this.at = 0;
    this.turn = 1; // counts answers
    this.filling = false;
    this.stopped = false;
    this.singleKeys = memory.get("keys") !== "off";
    this.saves = new Saves(call, (waiting, failed) => this.showSaving(waiting, failed));
    this.onKey = (event) => this.press(event);
    this.onLeave = (event) => this.saves.waiting && event.preventDefault();
    this.onBlur = () => this.comeBack();
  }

  async start() {
    try {
      this.setup = await this.call("setup");
    } catch (error) {
      this.root.append(el("p", { class: "sk-problem", role: "alert" }, `This cannot start: ${error.message}`));
      return;
    }
    this.bindings = bindings(this.setup.classes);
    this.build();
    this.keys.addEventListener("keydown", this.onKey);
    window.addEventListener("beforeunload", this.onLeave);
    window.addEventListener("blur", this.onBlur);
    const known = this.setup.annotator ?? this.memory.get("annotator");
    this.annotator = known || await this.askName();
    this.parts.who.textContent = this.annotator;
    this.parts.work.hidden = false;
    this.watch();
    await this.remember();
    await this.fill();
  }

  stop() {
    this.stopped = true;
    this.keys.removeEventListener("keydown", this.onKey);
    window.removeEventListener("beforeunload", this.onLeave);
    window.removeEventListener("blur", this.onBlur);
    this.root.replaceChildren();
  }

  // -- what there is on the page -----------------------------------------------------------

  build() {
    const action = (name, words) => el(
      "button", { type: "button", class: "sk-quiet", onclick: () => this.act(name), "data-act": name },
      el("span", {}, words), el("kbd", { "aria-hidden": "true" }, keyOf(this.bindings, name)),
    );
    const parts = this.parts = {
      bar: el("progress", { max: 1, value: 0, "aria-label": "Labelled" }),
      counts: el("span", { class: "sk-counts" }),
      model: el("span", { class: "sk-model" }),
      who: el("button", {
        type: "button", class: "sk-who", title: "Label under another name", onclick: () => this.changeName(),
      }),
      saving: el("span", { class: "sk-saving", role: "status" }),
      status: el("p", { class: "sk-status", role: "status" }),
      reader: el("p", { class: "sk-reader", role: "status" }),
      error: el("p", { class: "sk-error", role: "alert", hidden: true }),
      heading: el("h2", { class: "sk-name", tabIndex: -1 }),
      stage: el("div", { class: "sk-stage" }),
      sure: el("p", { class: "sk-sure", hidden: true }),
      classes: el("div", { class: "sk-classes", role: "group", "aria-label": "Classes" }),
      find: this.setup.classes.length > MANY ? this.findField() : null,
    };
    parts.who.disabled = this.setup.annotator !== null;
    parts.classes.style.setProperty("--widest", String(this.widest()));
    parts.buttons = this.setup.classes.map((one) => this.classButton(one));
    parts.classes.append(...parts.buttons);
    const actions = el(
      "div", { class: "sk-actions", role: "group", "aria-label": "Actions" },
      action("back", "Back"), action("undo", "Undo"), action("skip", "Skip"), action("note", "Note"),
      action("help", "Keys"),
    );
    parts.work = el(
      "section", { class: "sk-work", hidden: true, "aria-label": "Item to label" },
      parts.heading, parts.stage, parts.sure, parts.error,
      el("div", { class: "sk-answers" }, parts.find, parts.classes, actions),
    );
    this.root.append(
      el("header", { class: "sk-header" },
        el("div", { class: "sk-title" }, el("h1", { textContent: this.setup.title }), parts.who),
        parts.bar, el("p", { class: "sk-numbers" }, parts.counts, parts.model, parts.saving)),
      parts.work, parts.status, parts.reader,
    );
    document.title = this.keys === document ? this.setup.title : document.title;
  }

  widest() {
    return Math.min(24, Math.max(...this.setup.classes.map((one) => one.name.length)));
  }

  classButton(one) {
    const hint = el("kbd", { "aria-hidden": "true" }, one.key ? one.key.toUpperCase() : "");
    hint.hidden = !one.key || one.key === one.name.toLowerCase();
    const button = el(
      "button", { type: "button", "aria-pressed": "false", onclick: () => this.answer({ label: one }) },
      hint, el("span", { dir: "auto", textContent: one.name }),
    );
    if (one.key) {
      button.setAttribute("aria-keyshortcuts", one.key);
    }
    return button;
  }

  findField() {
    const field = el("input", { type: "search", placeholder: "Find a class", "aria-label": "Find a class" });
    const matching = () => this.setup.classes.map(
      (one) => one.name.toLowerCase().includes(field.value.trim().toLowerCase()),
    );
    field.addEventListener("input", () => {
      matching().forEach((shows, i) => { this.parts.buttons[i].hidden = !shows; });
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && field.value.trim()) {
        const found = this.setup.classes[matching().indexOf(true)];
        this.clearFind();
        field.blur();
        if (found) {
          this.answer({ label: found });
        }
      } else if (event.key === "Escape") {
        this.clearFind();
        field.blur();
      }
    });
    return field;
  }

  clearFind() {
    if (this.parts.find) {
      this.parts.find.value = "";
      this.parts.buttons.forEach((button) => { button.hidden = false; });
    }
  }

  // -- who labels --------------------------------------------------------------------------

  askName() {
    const id = uniqueId("name");
    const field = el("input", {
      id, required: true, maxLength: this.setup.longest.annotator, autocomplete: "username", autocapitalize: "off",
    });
    const form = el(
      "form", { class: "sk-ask" }, el("label", { for: id }, "Your name, as it will stand beside your labels"),
      el("div", { class: "sk-row" }, field, el("button", { type: "submit", class: "sk-main" }, "Start")),
    );
    this.parts.status.before(form);
    field.focus();
    return new Promise((resolve) => {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        const name = field.value.trim();
        if (name) {
          this.memory.set("annotator", name);
          form.remove();
          resolve(name);
        }
      });
    });
  }

  async changeName() {
    this.parts.work.hidden = true;
    this.say("");
    await this.saves.last;
    this.parts.who.textContent = "";
    this.annotator = await this.askName();
    this.parts.who.textContent = this.annotator;
    this.parts.work.hidden = false;
    await this.remember();
    await this.fill();
  }

  // -- items come --------------------------------------------------------------------------

  get current() {
    return this.items[this.at] ?? null;
  }

  /** What was answered before this page was opened, for the way back. */
  async remember() {
    this.items = [];
    this.at = 0;
    this.show();
    try {
      const { items } = await this.call("history", { annotator: this.annotator });
      this.items = items.map((item) => ({ ...item, turn: 0 }));
      this.at = this.items.length;
    } catch (error) {
      this.fail(error.message);
    }
  }

  /** Claim items until there are enough ahead; while there is none, look again now and then. */
  async fill() {
    if (this.filling) {
      return;
    }
    this.filling = true;
    const annotator = this.annotator;
    let [delay, longest] = LOOK_AGAIN;
    while (!this.stopped && this.ahead() < AHEAD && annotator === this.annotator) {
      const answer = await this.claim(annotator);
      if (annotator === this.annotator) {
        this.take(answer);
      }
      if (this.current !== null && (answer === null || answer.items.length === 0)) {
        break;
      }
      if (this.current === null) {
        await pause(delay);
        delay = Math.min(1.5 * delay, longest);
      }
    }
    this.filling = false;
    if (!this.stopped && annotator !== this.annotator) {
      await this.fill();
    }
  }

  ahead() {
    return this.items.slice(this.at).filter((item) => !item.answer).length;
  }

  /** The server's answer; null, said on the page, where there was none. */
  async claim(annotator) {
    const turn = this.turn;
    try {
      await this.saves.last; // what was answered before this turn is not offered again
      return { ...await this.call("claim", { annotator, n: AHEAD }), turn };
    } catch (error) {
      this.fail(error instanceof Refusal ? error.message : "No connection to the server. Trying again …");
      return null;
    }
  }

  take(answer) {
    if (answer === null) {
      return;
    }
    this.showProgress(answer.progress);
    const had = this.current;
    for (const item of answer.items) {
      const place = this.items.findIndex((one) => one.id === item.id);
      const known = this.items[place];
      if (known && (!known.answer || known.turn >= answer.turn)) {
        continue; // on show or ahead, or answered while the claim was on its way
      }
      if (known) { // its answer was taken back elsewhere
        this.items.splice(place, 1);
        this.at -= place < this.at ? 1 : 0;
      }
      this.items.push(item);
      prefetch(item);
    }
    if (had === null) {
      this.show();
    }
  }

  // -- the item on show --------------------------------------------------------------------

  show() {
    const { parts, current } = this;
    this.clearFind();
    parts.work.classList.toggle("sk-empty", current === null);
    parts.stage.replaceChildren();
    if (current === null) {
      parts.heading.textContent = "Nothing to label right now";
      parts.sure.hidden = true;
      parts.reader.textContent = "";
      this.say(this.waitingWords());
      return;
    }
    parts.error.hidden = true;
    parts.heading.textContent = current.name;
    parts.stage.append(shown(current));
    this.showSure(current);
    this.mark(current);
    this.began = performance.now();
    this.say([this.said, this.answerWords(current)].filter(Boolean).join(" "));
    this.said = null;
    parts.reader.textContent = `${current.name}. ${spoken(current)}`;
  }

  waitingWords() {
    const progress = this.progress;
    if (progress?.training) {
      return "The model is being trained. What it asks next appears here.";
    }
    if (progress?.finished) {
      return "There is nothing left to ask. Thank you.";
    }
    return "What the model asks next appears here by itself.";
  }

  showSure({ sure }) {
    const { parts } = this;
    parts.sure.hidden = !sure;
    if (sure) {
      const percent = sure.map(([name, share]) => `${name} ${Math.round(100 * share)} %`);
      parts.sure.textContent = `The model thinks: ${percent.join(", ")}`;
    }
  }

  mark({ answer }) {
    this.setup.classes.forEach((one, i) => {
      const chosen = answer?.label !== undefined && answer.label === one.value;
      this.parts.buttons[i].setAttribute("aria-pressed", String(chosen));
    });
  }

  nameOf(label) {
    return this.setup.classes.find((one) => one.value === label)?.name ?? String(label);
  }

  answerWords({ answer }) {
    if (!answer) {
      return "";
    }
    return answer.label === undefined ? "You skipped it." : `You labelled it ${this.nameOf(answer.label)}.`;
  }

  say(words) {
    this.parts.status.textContent = words;
  }

  fail(words) {
    this.parts.error.textContent = words;
    this.parts.error.hidden = false;
  }

  // -- answers -----------------------------------------------------------------------------

  /** Label or skip the item on show, and go on; a refusal brings it back. */
  async answer({ label, reason }) {
    const item = this.current;
    if (item === null) {
      return;
    }
    const before = item.answer;
    const value = label?.value;
    if (before && before.label === value && value !== undefined) {
      this.move(1);
      return;
    }
    const payload = { annotator: this.annotator, id: item.id, seconds: (performance.now() - this.began) / 1000 };
    const again = Boolean(before) && value !== undefined;
    const action = value === undefined ? "skip" : again ? "relabel" : "label";
    item.answer = value === undefined ? { reason } : { label: value };
    item.turn = this.turn;
    this.turn += 1;
    this.said = value === undefined ? `Skipped ${item.name}.` : `${item.name}: ${label.name}.`;
    const saved = this.saves.add(action, value === undefined ? { ...payload, reason } : { ...payload, label: value });
    this.at = this.items.indexOf(item) + 1;
    this.show();
    this.fill();
    await this.settle(saved, item, before);
  }

  async settle(saved, item, before) {
    try {
      this.showProgress((await saved).progress);
    } catch (error) {
      item.answer = error.item ? error.item.answer : before;
      if (error.message.startsWith("gone:")) {
        this.drop(item);
      } else {
        this.at = this.items.indexOf(item);
        this.show();
      }
      this.fail(error.message.replace(/^gone: ?/, ""));
    }
  }

  drop(item) {
    const place = this.items.indexOf(item);
    this.items.splice(place, 1);
    this.at -= place < this.at ? 1 : 0;
    this.show();
    this.fill();
  }

  move(step) {
    const there = this.at + step;
    const known = there >= 0 && there <= this.items.length && (step < 0 || this.current?.answer);
    if (known) {
      this.at = there;
      this.show();
      this.fill();
    }
  }

  async undo() {
    let undone;
    try {
      undone = await this.saves.add("undo", { annotator: this.annotator });
    } catch (error) {
      this.fail(error.message);
      return;
    }
    this.showProgress(undone.progress);
    this.said = `Undone: ${undone.what} of ${undone.item.name}.`;
    let place = this.items.findIndex((item) => item.id === undone.item.id);
    if (place < 0) {
      place = this.items.findIndex((item) => !item.answer);
      place = place < 0 ? this.items.length : place;
      this.items.splice(place, 0, undone.item);
    }
    this.items[place].answer = undone.item.answer; // after a correction, the one before
    this.at = place;
    this.show();
  }

  async skip() {
    const item = this.current;
    if (item === null) {
      return;
    }
    const reason = this.setup.reasons.length ? await askReason(this.root, this.setup.reasons) : "";
    this.focusBack();
    if (reason !== null && this.current === item) {
      await this.answer({ reason });
    }
  }

  async note() {
    const item = this.current;
    if (item === null) {
      return;
    }
    const text = await askNote(this.root, item.name, this.setup.longest.note);
    this.focusBack();
    if (text === null) {
      return;
    }
    try {
      await this.saves.add("note", { annotator: this.annotator, id: item.id, text });
      this.say(`Noted on ${item.name}.`);
    } catch (error) {
      this.fail(error.message);
    }
  }

  async help() {
    const on = await showHelp(this.root, described(this.bindings), this.singleKeys);
    this.focusBack();
    if (on !== null) {
      this.singleKeys = on;
      this.memory.set("keys", on ? "on" : "off");
    }
  }

  focusBack() {
    (this.keys === document ? this.parts.heading : this.root).focus({ preventScroll: true });
  }

  act(name) {
    const steps = { back: -1, forward: 1 };
    if (name in steps) {
      this.move(steps[name]);
    } else if (name === "up" || name === "down") {
      this.moveFocus(name === "up" ? -1 : 1);
    } else if (name === "find") {
      this.parts.find?.focus();
    } else {
      this[name]();
    }
  }

  moveFocus(step) {
    const buttons = this.parts.buttons.filter((button) => !button.hidden);
    const place = buttons.indexOf(document.activeElement);
    const next = place < 0 ? (step > 0 ? 0 : -1) : (place + step + buttons.length) % buttons.length;
    buttons.at(next)?.focus();
  }

  press(event) {
    const target = event.target instanceof Element ? event.target : this.root;
    if (event.key === "Tab") {
      this.tabbed = performance.now();
    }
    if (this.parts.work.hidden || isTyping(target, event.key)) {
      return;
    }
    const wanted = meaning(this.bindings, event, this.singleKeys);
    if (wanted === null) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (wanted.label) {
      this.answer(wanted);
    } else {
      this.act(wanted.act);
    }
  }

  /** A click into the user's HTML takes the keys away: they come back. */
  comeBack() {
    const inFrame = () => document.activeElement?.classList.contains("sk-frame");
    const tabbed = performance.now() - (this.tabbed ?? -1000) < 500;
    setTimeout(() => inFrame() && !tabbed && this.focusBack(), 0);
  }

  // -- progress ----------------------------------------------------------------------------

  async watch() {
    while (!this.stopped) {
      await pause(REFRESH);
      if (document.visibilityState === "visible" && !this.parts.work.hidden) {
        await this.call("progress", { annotator: this.annotator }).then(
          (answer) => this.showProgress(answer.progress), () => {},
        );
      }
    }
  }

  showProgress(progress) {
    const { parts } = this;
    this.progress = progress;
    parts.bar.max = Math.max(1, progress.total);
    parts.bar.value = progress.labeled;
    const counts = `${progress.labeled} of ${progress.total} labelled`;
    parts.bar.setAttribute("aria-valuetext", counts);
    const words = [counts, `${progress.mine} by you`];
    if (progress.skipped) {
      words.push(`${progress.skipped} skipped`);
    }
    parts.counts.textContent = words.join(" · ");
    parts.model.textContent = progress.model;
    parts.model.classList.toggle("sk-training", progress.training);
    if (this.current === null && !parts.work.hidden) {
      this.say(this.waitingWords());
    }
  }

  showSaving(waiting, failed) {
    const { saving } = this.parts;
    saving.textContent = failed ? `${waiting} not saved yet: no connection, trying again` : "";
    saving.classList.toggle("sk-failed", failed);
  }
}
