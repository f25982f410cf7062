// The page: a photograph comes in, is shown and sent; what was found goes out.

import { Photo } from "./api.js";
import { download } from "./downloads.js";
import { choose, listen } from "./intake.js";
import { shortcuts, theme } from "./keys.js";
import { clear, name, remove, select, solo, step, toggle } from "./naming.js";
import { compare, fit, mode, refresh, threshold, view } from "./showing.js";
import { layerOf, shown, state } from "./state.js";
import { alarm, calm, explain, say } from "./telling.js";

const $ = (id) => document.getElementById(id);
let opening = null; // AbortController of the upload

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
  opening = new AbortController();
  clear();
  Object.assign(state, { photo: new Photo(file), name: file.name || "photograph" });
  const { photo } = state;
  await view.show(bitmap);
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

listen(open, alarm);
theme();
$("another").addEventListener("click", choose);
for (const button of document.querySelectorAll("[data-save]")) button.addEventListener("click", () => save(button.dataset.save));

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
