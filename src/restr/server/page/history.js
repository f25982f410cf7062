// Recent words, kept in this browser; a click looks for them again.

const KEY = "restr.history";
const MOST = 10;

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((text) => typeof text === "string").slice(0, MOST) : [];
  } catch {
    return []; // storage refused, or written by something else
  }
}

export class History {
  constructor(box, list, pick) {
    Object.assign(this, { box, list, pick, texts: read(), latest: null });
    this.#show();
  }

  /** Note a text. by: who typed it; a later text of the same one replaces it, as it was still being typed. */
  note(text, by) {
    const replaced = this.latest?.by === by ? this.latest.text : null;
    this.texts = [text, ...this.texts.filter((other) => other !== text && other !== replaced)].slice(0, MOST);
    this.latest = { text, by };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.texts));
    } catch {
      // Storage refused: it lasts as long as the page.
    }
    this.#show();
  }

  #show() {
    this.box.hidden = !this.texts.length;
    this.list.replaceChildren(
      ...this.texts.map((text) => {
        const item = document.createElement("li");
        const button = Object.assign(document.createElement("button"), { type: "button", className: "past", textContent: text });
        button.addEventListener("click", () => this.pick(text));
        item.append(button);
        return item;
      }),
    );
  }
}
