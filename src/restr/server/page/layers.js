// The list of layers: one row per layer, made once and then updated, so that the focus stays where it is.

// Okabe and Ito's colours, which people with any colour vision can tell apart; the order sets neighbours far apart.
export const PALETTE = ["#56b4e9", "#e69f00", "#cc79a7", "#009e73", "#f0e442", "#d55e00", "#0072b2"];

/** The first colour that no layer has, or the one that the fewest have. */
export function freeColour(layers) {
  const uses = (colour) => layers.filter((layer) => layer.colour === colour).length;
  return PALETTE.reduce((best, colour) => (uses(colour) < uses(best) ? colour : best));
}

export const percent = (share) => (share > 0 && share < 0.01 ? "under 1%" : `${Math.round(100 * share)}%`);

function element(tag, fields = {}, ...children) {
  const made = Object.assign(document.createElement(tag), fields);
  made.append(...children);
  return made;
}

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

function iconButton(name, className, run) {
  const button = element("button", { type: "button", className: `icon ${className}`, onclick: run }, icon(name));
  return button;
}

/** actions, to be set before any row is made: select, toggle, solo, guess, remove; each is called with a layer's id. */
export class LayerList {
  constructor(list) {
    Object.assign(this, { list, actions: null, rows: new Map() });
  }

  #make(layer) {
    const { id } = layer;
    const row = element("li", { className: "layer" });
    row.style.setProperty("--colour", layer.colour);
    const name = element("span", { className: "layer-name" });
    const facts = element("span", { className: "layer-facts" });
    const pick = element(
      "button",
      { type: "button", className: "layer-pick", onclick: () => this.actions.select(id) },
      element("span", { className: "swatch", ariaHidden: "true" }),
      element("span", { className: "layer-text" }, name, facts),
    );
    pick.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const all = [...this.list.querySelectorAll(".layer-pick")];
      const next = all[(all.indexOf(pick) + step + all.length) % all.length];
      next.focus();
      next.click();
    });
    const eye = iconButton("i-eye", "eye", () => this.actions.toggle(id));
    const solo = iconButton("i-solo", "solo", () => this.actions.solo(id));
    const bin = iconButton("i-trash", "bin", () => this.actions.remove(id));
    const guess = element("button", { type: "button", className: "plain guess", onclick: () => this.actions.guess(id), hidden: true });
    const strip = element("div", { className: "strip", hidden: true });
    row.append(pick, element("div", { className: "layer-tools" }, solo, eye, bin), guess, strip);
    return { row, name, facts, pick, eye, solo, bin, guess, strip };
  }

  /** Update the rows. threshold: of the masks whose scores and areas they show. */
  update(layers, { selected, threshold }) {
    const ids = new Set(layers.map((layer) => layer.id));
    for (const [id, { row }] of this.rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    for (const layer of layers) {
      if (!this.rows.has(layer.id)) {
        const made = this.#make(layer);
        this.rows.set(layer.id, made);
        this.list.append(made.row);
      }
      this.#refresh(this.rows.get(layer.id), layer, layer.id === selected, threshold);
    }
  }

  #refresh(parts, layer, selected, threshold) {
    const { row, name, facts, pick, eye, solo, bin, guess, strip } = parts;
    row.classList.toggle("selected", selected);
    row.classList.toggle("draft", layer.draft);
    row.classList.toggle("off", !layer.visible);
    row.classList.toggle("absent", Boolean(layer.map && !layer.map.marked));
    row.style.setProperty("--colour", layer.colour);
    pick.setAttribute("aria-pressed", String(selected));
    set(name, layer.text);
    set(facts, told(layer, threshold));
    label(eye, layer.visible ? `Hide ${layer.text}` : `Show ${layer.text}`);
    eye.querySelector("use").setAttribute("href", layer.visible ? "#i-eye" : "#i-eye-off");
    label(solo, layer.solo ? `Show every layer again` : `Show only ${layer.text}`);
    solo.setAttribute("aria-pressed", String(layer.solo));
    label(bin, `Delete ${layer.text}`);
    guess.hidden = !selected || !layer.map?.absent;
    set(guess, layer.map?.guess ? "Hide the best guess" : "Show the best guess");
    strip.hidden = !selected || !layer.words;
    if (strip.hidden || strip.dataset.of === layer.words.words.join(" ")) return;
    strip.dataset.of = layer.words.words.join(" ");
    strip.replaceChildren(...chips(layer.words));
  }

  focus(id) {
    this.rows.get(id)?.pick.focus();
  }
}

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function label(button, text) {
  button.setAttribute("aria-label", text);
  button.title = text;
}

function told(layer, threshold) {
  if (layer.failed) return "no answer";
  if (!layer.map) return "looking\u2026";
  const { map } = layer;
  if (!map.marked) return `not found \u00b7 presence ${percent(map.presence)}`;
  const { area, share, score } = map.measure(threshold);
  const guess = map.absent ? "best guess \u00b7 " : "";
  return area ? `${guess}${score.toFixed(2)} \u00b7 ${percent(share)} of the picture` : `${guess}nothing at this threshold`;
}

/** The words as chips, the darker the more the model listened to each; weights are shares of their sum. */
function chips({ words, seed }) {
  const most = Math.max(...seed, 1e-9);
  const sum = seed.reduce((total, weight) => total + weight, 0) || 1;
  const list = element("ul", { className: "chips" });
  list.setAttribute("aria-label", "How much the model listened to each word");
  words.forEach((word, i) => {
    const share = `${Math.round((100 * seed[i]) / sum)}%`;
    const chip = element("li", { className: "chip", title: `${word}: ${share} of the attention` }, word);
    chip.append(element("span", { className: "sr" }, ` ${share}`), element("small", { ariaHidden: "true" }, share));
    chip.style.setProperty("--weight", (seed[i] / most).toFixed(3));
    list.append(chip);
  });
  return [element("p", { className: "strip-title" }, "What the model listened to"), list];
}
