// How the photograph and its layers are shown, and the controls that change it.

import { LayerList, freeColour, percent } from "./layers.js";
import { layerOf, shown, state } from "./state.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
export const view = new View($("canvas"));
export const list = new LayerList($("layers"));
let frame = 0;

/** The message about a thing that the photograph probably does not show. */
export const missing = ({ map }) => `not found: probably not in the picture (presence ${percent(map.presence)})`;

export function summary(layer) {
  const { map } = layer;
  if (!map.marked) return `${layer.text}: ${missing(layer)}.`;
  const { area, score, share } = map.measure(state.threshold);
  if (!area) return `${layer.text}: nothing found at threshold ${state.threshold.toFixed(2)}.`;
  return `${layer.text}: ${map.absent ? "the best guess" : "found"}, score ${score.toFixed(2)}, ${percent(share)} of the picture.`;
}

export function refresh() {
  const { layers, draft, threshold, mode, compare } = state;
  const selected = layerOf(state.selected);
  list.update(layers, state);
  $("no-layers").hidden = layers.length > 0;
  $("keep").disabled = !draft;
  $("dot").style.setProperty("--colour", draft?.colour ?? freeColour(layers));
  const found = (layer) => layer?.map?.measure(threshold).area > 0;
  for (const button of document.querySelectorAll("[data-save]")) {
    const one = button.dataset.save === "mask" || button.dataset.save === "cutout";
    button.disabled = one ? !found(selected) : !shown().some(found);
  }
  $("legend").hidden = mode !== "heat" || !selected?.map;
  for (const part of document.querySelectorAll("#wipe, #wipe-line, [data-compare]")) part.hidden = !compare;
  const seen = shown().map(summary).join(" ");
  $("canvas").setAttribute("aria-label", `Photograph ${state.name}. ${seen || "Nothing is marked."}`);
  paint();
}

export function paint() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => {
    const selected = layerOf(state.selected);
    const more = view.draw({
      ...state,
      layers: shown().filter((layer) => layer.map.marked),
      selected: selected?.map ? selected : null,
      wipe: state.compare ? state.wipe : null,
    });
    if (more) paint();
  });
}

/** Fit the frame into the stage, in the photograph's own proportions. */
export function fit() {
  const stage = $("stage");
  if (!view.photo || !stage.clientWidth) return;
  const style = getComputedStyle(stage);
  const wide = stage.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const high = stage.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  const width = Math.floor(Math.max(80, Math.min(wide, high * view.aspect)));
  const height = Math.round(width / view.aspect);
  $("frame").style.width = `${width}px`;
  $("frame").style.height = `${height}px`;
  view.fit(width, height);
  paint();
}

export function threshold(percentage) {
  const value = Math.min(95, Math.max(5, percentage));
  state.threshold = value / 100;
  $("threshold").value = value;
  $("threshold-out").textContent = state.threshold.toFixed(2);
  $("threshold").setAttribute("aria-valuetext", state.threshold.toFixed(2));
  refresh();
}

export function mode(value) {
  state.mode = value;
  document.querySelector(`[name="mode"][value="${value}"]`).checked = true;
  refresh();
}

export function compare(on) {
  state.compare = on;
  $("compare").checked = on;
  wipe(state.wipe);
  refresh();
}

function wipe(share) {
  state.wipe = share;
  $("wipe").value = Math.round(100 * share);
  $("wipe-line").style.left = `${100 * share}%`;
  paint();
}

function opacity(percentage) {
  state.opacity = percentage / 100;
  $("opacity-out").textContent = `${percentage}%`;
  $("opacity").setAttribute("aria-valuetext", `${percentage}%`);
  paint();
}

$("threshold").addEventListener("input", (event) => threshold(event.target.valueAsNumber));
$("opacity").addEventListener("input", (event) => opacity(event.target.valueAsNumber));
for (const radio of document.querySelectorAll('[name="mode"]')) radio.addEventListener("change", () => mode(radio.value));
$("compare").addEventListener("change", (event) => compare(event.target.checked));
$("wipe").addEventListener("input", (event) => wipe(event.target.valueAsNumber / 100));
new ResizeObserver(fit).observe($("stage"));
