// The page: one photograph, what was named in it, and how that is shown.

import { Photo, Problem, setKey } from "./api.js";
import { download } from "./downloads.js";
import { History } from "./history.js";
import { choose, listen } from "./intake.js";
import { shortcuts, theme } from "./keys.js";
import { LayerList, freeColour, percent } from "./layers.js";
import { ProbabilityMap } from "./mask.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
const TYPING = 250; // milliseconds without a key until the words are sent
const SETTLED = 700; // and until the answer is read out
const SLOW = 2500; // and until a wait is explained
const ANSWERS = 12; // kept for words that come back

const state = {
  photo: null, // Photo; ready is the promise of its handle
  ready: null,
  name: "",
  layers: [],
  selected: null,
  draft: null, // the layer of the words in the field
  threshold: 0.5,
  opacity: 0.48,
  mode: "mask",
  compare: false,
  wipe: 0.5,
};
let opening = null; // AbortController of the upload
let answers = new Map(); // words -> {map, words}, of this photograph
let nextId = 1;
let timers = { typing: 0, settled: 0, slow: 0 };
let retry = null;
let frame = 0;

const view = new View($("canvas"));
const list = new LayerList($("layers"), { select, toggle, solo, remove });
const history = new History($("history"), $("history-list"), (text) => name(text));

// --- Telling ---------------------------------------------------------------------------------------------------------

function say(text) {
  $("live").textContent = "";
  requestAnimationFrame(() => ($("live").textContent = text));
}

function alarm(title, detail = "", again = null) {
  $("alert-title").textContent = title;
  $("alert-detail").textContent = detail;
  $("alert-retry").hidden = !again;
  $("alert").hidden = false;
  retry = again;
}

function calm() {
  $("alert").hidden = true;
  retry = null;
}

const NOTE = $("note").textContent;

function note(text = NOTE, wrong = false) {
  $("note").textContent = text;
  $("note").classList.toggle("wrong", wrong);
}

/** Show whether an answer is still to come. */
function busy() {
  const on = state.layers.some((layer) => layer.asking);
  $("spinner").hidden = !on;
  clearTimeout(timers.slow);
  if (on) timers.slow = setTimeout(() => note("Still looking. The first words on a photograph take the longest."), SLOW);
}

function waiting(seconds) {
  note(`The server is busy; trying again in ${seconds} s.`);
}

function explain(error, again) {
  if (error.status === 401) {
    $("lock").addEventListener("close", () => $("key").value && (setKey($("key").value), again()), { once: true });
    $("lock").showModal();
    return;
  }
  const problem = error instanceof Problem ? error : new Problem({ title: "The page failed.", detail: String(error) });
  alarm(problem.title, problem.detail, again);
}

// --- A photograph ----------------------------------------------------------------------------------------------------

async function open(file, sentence = "") {
  let bitmap;
  calm();
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    alarm(`${file.name || "This file"} cannot be opened as a photograph.`, "JPEG, PNG and WebP can; the file may also be damaged.");
    return;
  }
  opening?.abort();
  for (const layer of state.layers) layer.asking?.abort();
  clearTimeout(timers.typing);
  clearTimeout(timers.settled);
  busy();
  opening = new AbortController();
  answers = new Map();
  Object.assign(state, { photo: new Photo(file), name: file.name || "photograph", layers: [], selected: null, draft: null });
  const { photo } = state;
  await view.show(bitmap);
  $("text").value = "";
  screen("work");
  $("stage").style.setProperty("--aspect", view.aspect);
  fit();
  refresh();
  state.ready = send(photo, opening.signal);
  say("The photograph is open.");
  if (sentence) name(sentence);
  else $("text").focus({ preventScroll: true });
  try {
    const handle = await state.ready;
    $("model").textContent = handle.model ?? "";
    $("model").hidden = !handle.model;
  } catch (error) {
    if (error.name === "AbortError" || state.photo !== photo) return;
    screen("empty");
    explain(error, () => open(file, $("text").value || sentence));
  }
}

function send(photo, signal) {
  const bar = $("veil-bar");
  const show = (text) => ($("veil-text").textContent = text);
  $("veil").hidden = false;
  show("Sending the photograph");
  bar.removeAttribute("value");
  const onProgress = (share) => {
    bar.value = 100 * share;
    if (share < 1) return;
    bar.removeAttribute("value");
    show("Reading the photograph");
  };
  const sent = photo.send({ signal, onProgress, onWait: (seconds) => show(`The server is busy; again in ${seconds} s`) });
  const lift = () => state.photo === photo && ($("veil").hidden = true);
  sent.then(lift, lift);
  return sent;
}

function screen(name) {
  document.body.dataset.screen = name;
  $("empty").hidden = name !== "empty";
  $("work").hidden = $("another").hidden = name !== "work";
}

// --- Words -----------------------------------------------------------------------------------------------------------

const wordsOf = (text) => text.trim().replace(/\s+/g, " ");

/** Put words into the field and look for them at once. */
function name(text) {
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
  clearTimeout(timers.typing);
  clearTimeout(timers.settled);
  state.draft?.asking?.abort();
  note();
  if (!text) dropDraft();
  else {
    if (!state.draft) addDraft(text);
    state.draft.text = text;
    if (answers.has(text)) answered(state.draft, text);
    else timers.typing = setTimeout(() => ask(state.draft, text), delay);
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
    const map = await ProbabilityMap.from(result.prob);
    if (signal.aborted) return; // newer words, or another photograph: the answer is stale
    answers.set(text, { map, words: result.words });
    if (answers.size > ANSWERS) answers.delete(answers.keys().next().value);
    note();
    answered(layer, text);
  } catch (error) {
    if (signal.aborted || !photo.handle) return; // the latter is told by whoever opened the photograph
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
  refresh();
  timers.settled = setTimeout(() => {
    history.note(text, layer.id);
    say(summary(layer));
  }, SETTLED);
}

function summary(layer) {
  const { area, score, share } = layer.map.measure(state.threshold);
  if (!area) return `${layer.text}: nothing found at threshold ${state.threshold.toFixed(2)}.`;
  return `${layer.text}: found, score ${score.toFixed(2)}, ${percent(share)} of the picture.`;
}

/** Keep the draft as a layer, even if its answer is still to come, and make room for other words. */
function commit() {
  const { draft } = state;
  if (!draft) return;
  clearTimeout(timers.typing);
  state.draft = null;
  $("text").value = "";
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

// --- Layers ----------------------------------------------------------------------------------------------------------

const layerOf = (id) => state.layers.find((layer) => layer.id === id);

function select(id) {
  state.selected = id;
  const layer = layerOf(id);
  if (layer.map) say(summary(layer));
  refresh();
}

function toggle(id) {
  const layer = layerOf(id);
  layer.visible = !layer.visible;
  say(`${layer.text} ${layer.visible ? "shown" : "hidden"}.`);
  refresh();
}

function solo(id) {
  const target = layerOf(id);
  for (const layer of state.layers) layer.solo = layer === target && !layer.solo;
  if (target.solo) target.visible = true;
  say(target.solo ? `Only ${target.text} is shown.` : "Every layer is shown again.");
  refresh();
}

function remove(id, silently = false) {
  const at = state.layers.findIndex((layer) => layer.id === id);
  const inList = document.activeElement?.closest(".layers");
  const [gone] = state.layers.splice(at, 1);
  gone.asking?.abort();
  busy();
  if (gone === state.draft) {
    clearTimeout(timers.typing);
    state.draft = null;
    $("text").value = "";
  }
  if (state.selected === id) state.selected = (state.layers[at] ?? state.layers[at - 1])?.id ?? null;
  if (!silently) say(`${gone.text} deleted.`);
  refresh();
  if (!inList) return;
  if (state.selected) list.focus(state.selected);
  else $("text").focus();
}

function step(by) {
  if (!state.layers.length) return;
  const at = state.layers.findIndex((layer) => layer.id === state.selected);
  select(state.layers[(at + by + state.layers.length) % state.layers.length].id);
}

function shown() {
  const alone = state.layers.filter((layer) => layer.solo);
  return (alone.length ? alone : state.layers.filter((layer) => layer.visible)).filter((layer) => layer.map);
}

// --- Showing ---------------------------------------------------------------------------------------------------------

function refresh() {
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

function paint() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => {
    const selected = layerOf(state.selected);
    const more = view.draw({
      ...state,
      layers: shown(),
      selected: selected?.map ? selected : null,
      wipe: state.compare ? state.wipe : null,
    });
    if (more) paint();
  });
}

/** The frame takes what room the stage has, in the photograph's own proportions. */
function fit() {
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

function threshold(percentage) {
  const value = Math.min(95, Math.max(5, percentage));
  state.threshold = value / 100;
  $("threshold").value = value;
  $("threshold-out").textContent = state.threshold.toFixed(2);
  $("threshold").setAttribute("aria-valuetext", state.threshold.toFixed(2));
  refresh();
}

function mode(value) {
  state.mode = value;
  document.querySelector(`[name="mode"][value="${value}"]`).checked = true;
  refresh();
}

function compare(on) {
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

async function save(kind) {
  const selected = layerOf(state.selected);
  const button = document.querySelector(`[data-save="${kind}"]`);
  if (button.disabled) return;
  button.classList.add("working");
  try {
    const job = { selected, layers: shown(), threshold: state.threshold, file: state.photo.file };
    say(`Saved as ${await download(kind, job)}.`);
  } catch (error) {
    explain(error, () => save(kind));
  } finally {
    button.classList.remove("working");
  }
}

// --- Wiring ----------------------------------------------------------------------------------------------------------

listen(open, alarm);
theme();
$("another").addEventListener("click", choose);
$("alert-close").addEventListener("click", calm);
$("alert-retry").addEventListener("click", () => {
  const again = retry;
  calm();
  again?.();
});
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
$("threshold").addEventListener("input", (event) => threshold(event.target.valueAsNumber));
$("opacity").addEventListener("input", (event) => {
  state.opacity = event.target.valueAsNumber / 100;
  $("opacity-out").textContent = `${event.target.value}%`;
  event.target.setAttribute("aria-valuetext", `${event.target.value}%`);
  paint();
});
for (const radio of document.querySelectorAll('[name="mode"]')) radio.addEventListener("change", () => mode(radio.value));
for (const button of document.querySelectorAll("[data-save]")) button.addEventListener("click", () => save(button.dataset.save));
$("compare").addEventListener("change", (event) => compare(event.target.checked));
$("wipe").addEventListener("input", (event) => wipe(event.target.valueAsNumber / 100));
new ResizeObserver(fit).observe($("stage"));

const onSelected = (run) => () => state.selected && run(state.selected);
shortcuts({
  "/": () => $("text").focus(),
  o: choose,
  1: () => mode("mask"),
  2: () => mode("cutout"),
  3: () => mode("heat"),
  c: () => compare(!state.compare),
  "[": () => threshold(Math.round(100 * state.threshold) - 5),
  "]": () => threshold(Math.round(100 * state.threshold) + 5),
  j: () => step(1),
  k: () => step(-1),
  v: onSelected(toggle),
  s: onSelected(solo),
  d: () => save("mask"),
  delete: onSelected(remove),
});
