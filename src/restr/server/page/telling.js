// The page's messages: beside the field, in the alert, and to a screen reader.

import { Problem, setKey } from "./api.js";
import { state } from "./state.js";

const $ = (id) => document.getElementById(id);
const SLOW = 2500; // milliseconds until a wait is explained
const NOTE = $("note").textContent;
let retry = null; // the action of the alert's button
let slow = 0;

export function say(text) {
  $("live").textContent = "";
  requestAnimationFrame(() => ($("live").textContent = text));
}

export function alarm(title, detail = "", again = null) {
  $("alert-title").textContent = title;
  $("alert-detail").textContent = detail;
  $("alert-retry").hidden = !again;
  $("alert").hidden = false;
  retry = again;
}

export function calm() {
  $("alert").hidden = true;
  retry = null;
}

export function note(text = NOTE, wrong = false) {
  $("note").textContent = text;
  $("note").classList.toggle("wrong", wrong);
}

/** Show whether an answer is still to come. */
export function busy() {
  const on = state.layers.some((layer) => layer.asking);
  $("spinner").hidden = !on;
  clearTimeout(slow);
  if (on) slow = setTimeout(() => note("Still looking. The first words on a photograph take the longest."), SLOW);
}

export function waiting(seconds) {
  note(`The server is busy; trying again in ${seconds} s.`);
}

export function explain(error, again) {
  if (error.status === 401) {
    askForKey(again);
    return;
  }
  const problem = error instanceof Problem ? error : new Problem({ title: "The page failed.", detail: String(error) });
  alarm(problem.title, problem.detail, again);
}

function askForKey(again) {
  const lock = $("lock");
  $("lock-refused").hidden = !$("key").value; // a key was given, and refused
  const closed = () => {
    if (lock.returnValue !== "go" || !$("key").value) return;
    setKey($("key").value);
    again();
  };
  lock.returnValue = "";
  lock.addEventListener("close", closed, { once: true });
  lock.showModal();
}

$("alert-close").addEventListener("click", calm);
$("alert-retry").addEventListener("click", () => {
  const again = retry;
  calm();
  again?.();
});
