// From words to layers: typed words become a draft, go to the server, and are kept.

import { History } from "./history.js";
import { freeColour } from "./layers.js";
import { ProbabilityMap } from "./mask.js";
import { list, missing, refresh, summary } from "./showing.js";
import { layerOf, state } from "./state.js";
import { busy, explain, note, say, waiting } from "./telling.js";

const $ = (id) => document.getElementById(id);
const TYPING = 250; // milliseconds without a key until the words are sent
const SETTLED = 700; // and until the answer is read out
const ANSWERS = 12; // kept for words that come back

let answers = new Map(); // words -> {map, words}, of this photograph
let nextId = 1;
let typing = 0;
let settled = 0;

const history = new History($("history"), $("history-list"), (text) => name(text));

/** Forget every layer and answer: another photograph is opened. */
export function clear() {
  for (const layer of state.layers) layer.asking?.abort();
  clearTimeout(typing);
  clearTimeout(settled);
  answers = new Map();
  Object.assign(state, { layers: [], selected: null, draft: null });
  $("text").value = "";
  busy();
}

const wordsOf = (text) => text.trim().replace(/\s+/g, " ");

/** Put words into the field and look for them at once. */
export function name(text) {
  const twin = state.layers.find((layer) => !layer.draft && layer.text === text);
  if (twin) {
    select(twin.id);
    return;
  }
  $("text").value = text;
  typed(0);
}

function typed(delay = TYPING) {
  const text = wordsOf($("text").value);
  clearTimeout(typing);
  clearTimeout(settled);
  state.draft?.asking?.abort();
  note();
  if (!text) dropDraft();
  else {
    if (!state.draft) addDraft(text);
    state.draft.text = text;
    if (answers.has(text)) answered(state.draft, text);
    else typing = setTimeout(() => ask(state.draft, text), delay);
  }
  refresh();
}

function addDraft(text) {
  const layer = { id: nextId++, text, colour: freeColour(state.layers), map: null, words: null };
  Object.assign(layer, { visible: true, solo: false, draft: true, asking: null, failed: false, since: 0 });
  state.layers.push(layer);
  state.draft = layer;
  state.selected = layer.id;
}

function dropDraft() {
  if (state.draft) remove(state.draft.id, true);
}

/** Ask the server what the words mean, and show it if they are still wanted by then. */
async function ask(layer, text) {
  layer.asking?.abort();
  layer.asking = new AbortController();
  layer.failed = false;
  const { asking } = layer;
  const { signal } = asking;
  const { photo } = state;
  busy();
  try {
    await state.ready;
    signal.throwIfAborted();
    const result = await photo.segment(text, { signal, onWait: waiting });
    const map = await ProbabilityMap.from(result, photo.model);
    if (signal.aborted) return; // newer words, or another photograph: the answer is stale
    answers.set(text, { map, words: result.words });
    if (answers.size > ANSWERS) answers.delete(answers.keys().next().value);
    note();
    answered(layer, text);
  } catch (error) {
    if (signal.aborted || !photo.handle) return; // whoever opened the photograph reports a failed upload
    layer.failed = true;
    if (error.status === 422) note(error.detail || error.message, true);
    else explain(error, () => ask(layer, text));
    refresh();
  } finally {
    if (layer.asking === asking) layer.asking = null;
    busy();
  }
}

function answered(layer, text) {
  const { map, words } = answers.get(text);
  if (!layer.map) layer.since = performance.now();
  Object.assign(layer, { map, words, answers: text, failed: false });
  if (layer.draft && !map.marked) note(`\u201c${text}\u201d ${missing(layer)}.`);
  refresh();
  settled = setTimeout(() => {
    history.note(text, layer.id);
    say(summary(layer));
  }, SETTLED);
}

/** Keep the draft as a layer, even if its answer is still to come, and make room for other words. */
function commit() {
  const { draft } = state;
  if (!draft) return;
  clearTimeout(typing);
  state.draft = null;
  $("text").value = "";
  note();
  const twin = state.layers.find((layer) => layer !== draft && layer.text === draft.text);
  if (twin) {
    remove(draft.id, true);
    select(twin.id);
    note(`\u201c${twin.text}\u201d is a layer already.`);
    return;
  }
  draft.draft = false;
  history.note(draft.text, draft.id);
  if (draft.answers === draft.text) say(`Kept as a layer. ${summary(draft)}`);
  else if (!draft.asking || draft.asking.signal.aborted) ask(draft, draft.text);
  refresh();
}

export function select(id) {
  state.selected = id;
  const layer = layerOf(id);
  if (layer.map) say(summary(layer));
  refresh();
}

export function toggle(id) {
  const layer = layerOf(id);
  layer.visible = !layer.visible;
  say(`${layer.text} ${layer.visible ? "shown" : "hidden"}.`);
  refresh();
}

export function solo(id) {
  const target = layerOf(id);
  for (const layer of state.layers) layer.solo = layer === target && !layer.solo;
  if (target.solo) target.visible = true;
  say(target.solo ? `Only ${target.text} is shown.` : "Every layer is shown again.");
  refresh();
}

/** Show the best guess for something that was not found, or hide it again. */
function guess(id) {
  const layer = layerOf(id);
  layer.map.guess = !layer.map.guess;
  layer.since = performance.now();
  say(summary(layer));
  refresh();
}

export function remove(id, silently = false) {
  const at = state.layers.findIndex((layer) => layer.id === id);
  const inList = document.activeElement?.closest(".layers");
  const [gone] = state.layers.splice(at, 1);
  gone.asking?.abort();
  busy();
  if (gone === state.draft) {
    clearTimeout(typing);
    state.draft = null;
    $("text").value = "";
    note();
  }
  if (state.selected === id) state.selected = (state.layers[at] ?? state.layers[at - 1])?.id ?? null;
  if (!silently) say(`${gone.text} deleted.`);
  refresh();
  if (!inList) return;
  if (state.selected) list.focus(state.selected);
  else $("text").focus();
}

export function step(by) {
  if (!state.layers.length) return;
  const at = state.layers.findIndex((layer) => layer.id === state.selected);
  select(state.layers[(at + by + state.layers.length) % state.layers.length].id);
}

list.actions = { select, toggle, solo, guess, remove };
$("text").addEventListener("input", () => typed());
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if ($("text").value) dropDraft();
  else $("text").blur();
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  commit();
});
