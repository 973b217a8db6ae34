// What a person did, sent in order; nothing is dropped while the server cannot be reached.

import { pause } from "./dom.js";

const LONGEST = 8000; // milliseconds between two attempts

/** The server read a request and says no: trying again would not help. */
export class Refusal extends Error {
  /** @param item the item as the server has it, where that is what the refusal is about */
  constructor(message, item = null) {
    super(message);
    this.item = item;
  }
}

/** A name for one action, so that the server does it once however often it arrives. */
function actionKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Saves {
  /**
   * @param call asynchronous function (action, payload): the answer; throws a Refusal, or anything
   *   else where there was no answer
   * @param onChange called with the number of actions on their way and whether one failed to arrive
   */
  constructor(call, onChange) {
    this.call = call;
    this.onChange = onChange;
    this.waiting = 0;
    this.last = Promise.resolve();
  }

  /** Send an action after all earlier ones; the promise gives the answer or the Refusal. */
  add(action, payload) {
    this.waiting += 1;
    this.onChange(this.waiting, false);
    const answer = this.last.then(() => this.send(action, { ...payload, key: actionKey() }));
    this.last = answer.catch(() => {}).then(() => {
      this.waiting -= 1;
      this.onChange(this.waiting, false);
    });
    return answer;
  }

  async send(action, payload) {
    for (let delay = 500; ; delay = Math.min(2 * delay, LONGEST)) {
      try {
        return await this.call(action, payload);
      } catch (error) {
        if (error instanceof Refusal) {
          throw error;
        }
        this.onChange(this.waiting, true);
        await pause(delay);
      }
    }
  }
}
