// The page for live pictures: a camera, words that may change, and the newest mask.

import { setKey } from "./api.js";
import { theme } from "./keys.js";
import { OwnCamera } from "./live_camera.js";
import { LiveSocket } from "./live_socket.js";
import { LiveView } from "./live_view.js";
import { LiveNumbers } from "./live_numbers.js";

const $ = (id) => document.getElementById(id);
const PAUSE = 250; // milliseconds without typing after which new words are sent
const AGAIN = 2000; // milliseconds until a lost connection is opened again
const SLIDERS = ["threshold", "presence", "smooth", "opacity"];

const view = new LiveView($("canvas"));
const numbers = new LiveNumbers();
const camera = new OwnCamera($("video"), () => source === "own" && step());
let socket = null;
let source = null; // "own" or "machine"
let machine = null; // what the server calls its camera
let paused = false;
let waiting = null; // of the answer to come: {since, bitmap}
let typing = 0;
let connecting = 0; // the timer of the next try
let notBefore = 0; // performance.now() until which nothing is asked: the server said so, or waits for other words
let idle = false; // whether the server closed the connection because nothing was asked
let known = false; // whether the fields hold what the server began with

const opacity = () => Number($("opacity").value);

function alarm(title, detail = "", again = null) {
  $("alert-title").textContent = title;
  $("alert-detail").textContent = detail;
  $("alert-retry").hidden = !again;
  $("alert-retry").onclick = () => {
    $("alert").hidden = true;
    again?.();
  };
  $("alert").hidden = false;
}

function begin(text, { own = false } = {}) {
  $("begin").hidden = false;
  $("frame").hidden = true;
  $("begin-text").textContent = text;
  $("begin-own").hidden = $("begin-hint").hidden = !own;
}

// The connection

function connect() {
  clearTimeout(connecting);
  socket?.close();
  waiting = null;
  notBefore = 0;
  idle = false;
  socket = new LiveSocket({ hello, answer, problem, closed });
}

function hello(facts) {
  $("alert").hidden = true;
  numbers.restart(); // as the server's counts do
  $("model").textContent = facts.model;
  $("model").hidden = false;
  machine = facts.camera;
  document.querySelector("[name=camera][value=machine]").disabled = !machine;
  $("camera-hint").textContent = machine ? `The server shows ${machine}.` : "The server has no camera of its own.";
  if (!known) {
    $("text").value = facts.text;
    for (const name of ["threshold", "presence", "smooth"]) if (facts[name] !== null) $(name).value = facts[name];
    $("presence-slider").hidden = facts.presence === null;
    for (const name of SLIDERS) told(name);
    known = true;
  } else socket.say(settings());
  if (source) step();
  else if (machine) use("machine");
  else begin("Name something in front of the camera, and see its pixels.", { own: true });
}

const settings = () => ({
  text: $("text").value,
  threshold: Number($("threshold").value),
  smooth: Number($("smooth").value),
  ...($("presence-slider").hidden ? {} : { presence: Number($("presence").value) }),
});

function problem(error) {
  waiting?.bitmap?.close();
  waiting = null;
  if (error.status === 401) {
    askForKey();
    return;
  }
  if (error.type.endsWith(":stream-idle")) {
    idle = true; // paused, hidden, or without a camera: it is opened again when there is something to ask
    return;
  }
  if (error.type.endsWith(":invalid-request")) {
    note(error.detail.replace(/^text: /, ""), true);
    notBefore = Infinity; // other words may do
    return;
  }
  alarm(error.title, error.detail, connect);
  const wait = 1000 * (error.retryAfter || 1);
  notBefore = performance.now() + wait;
  again(wait);
}

/** Ask again after a while, over a new connection if the old one has been closed. */
function again(milliseconds) {
  clearTimeout(connecting);
  connecting = setTimeout(() => (socket?.open ? step() : connect()), milliseconds + 20);
}

function closed(which) {
  if (which !== socket) return;
  socket = null;
  waiting = null;
  if (idle || document.hidden || $("lock").open) return;
  if (!$("alert").hidden) return again(Math.max(AGAIN, notBefore - performance.now())); // the reason is told already
  if (which.greeted) alarm("The connection was lost.", "Opening it again.", connect);
  else alarm("The server cannot be reached.", "Is restr live still running?", connect);
  again(AGAIN);
}

function askForKey() {
  const lock = $("lock");
  $("lock-refused").hidden = !$("key").value; // a key was given, and refused
  lock.returnValue = "";
  lock.addEventListener(
    "close",
    () => {
      if (lock.returnValue !== "go" || !$("key").value) return;
      setKey($("key").value);
      connect();
    },
    { once: true },
  );
  lock.showModal();
}

// Pictures

async function use(which) {
  camera.close();
  source = which;
  waiting = null;
  numbers.restart();
  document.querySelector(`[name=camera][value=${which}]`).checked = true;
  begin(which === "own" ? "Opening the camera" : `Waiting for ${machine}`);
  $("pause").disabled = false;
  if (which === "own" && !(await openOwn())) return;
  step();
}

async function openOwn() {
  if (!navigator.mediaDevices?.getUserMedia) {
    source = null;
    begin("Browsers give a page the camera only at localhost or over https.");
    return false;
  }
  try {
    await camera.open();
    return true;
  } catch (error) {
    source = null;
    const reasons = { NotAllowedError: "The browser was told not to allow it.", NotFoundError: "No camera was found." };
    alarm("The camera cannot be used.", reasons[error.name] ?? "Another program may be using it.", () => use("own"));
    begin("The camera cannot be used.", { own: true });
    return false;
  }
}

/** Ask for the next answer, unless one is still to come. */
async function step() {
  if (source === "own") numbers.camera(camera.shown);
  if (waiting || paused || document.hidden || performance.now() < notBefore) return;
  if (idle && !socket) connect();
  if (!socket?.greeted) return;
  if (source === "machine") {
    waiting = { since: performance.now(), bitmap: null };
    socket.say({ next: true });
    return;
  }
  if (source !== "own" || !camera.shown) return;
  const asked = (waiting = { since: 0, bitmap: null });
  const { bitmap, blob, since } = await camera.take();
  if (waiting !== asked) {
    bitmap.close(); // the camera was changed meanwhile
    return;
  }
  Object.assign(asked, { bitmap, since });
  numbers.sent();
  socket?.send(blob);
}

async function answer({ document: facts, mask, picture }) {
  const asked = waiting;
  if (!asked || Boolean(picture) !== (source === "machine") || !(picture ?? asked.bitmap)) return; // of another camera
  const [bitmap, stencil] = await Promise.all([
    picture ? createImageBitmap(picture) : asked.bitmap,
    mask && createImageBitmap(mask),
  ]);
  if (waiting !== asked) return;
  waiting = null;
  $("begin").hidden = $("alert").hidden = true;
  $("frame").hidden = false;
  view.show(bitmap, stencil, opacity());
  fit();
  // The server says how old its camera's picture was when it was sent; the way here is what it did not hold the question.
  const now = performance.now();
  numbers.show(facts, facts.age_ms === null ? now - asked.since : facts.age_ms + Math.max(0, now - asked.since - facts.held_ms));
  if (facts.text !== undefined) note();
  step();
}

/** The canvas as large as its stage allows, in the picture's proportions. */
function fit() {
  const { width, height } = $("canvas");
  const stage = $("stage");
  stage.style.setProperty("--aspect", width / height);
  const style = getComputedStyle(stage);
  const room = stage.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const high = stage.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  const scale = Math.min(room / width, high / height);
  $("frame").style.width = `${Math.round(width * scale)}px`;
  $("frame").style.height = `${Math.round(height * scale)}px`;
}

// Words and sliders

function note(text = "", wrong = false) {
  $("note").textContent = text || "The words can be changed at any time.";
  $("note").classList.toggle("wrong", wrong);
}

function told(name) {
  const text = Number($(name).value).toFixed(2);
  $(`${name}-out`).textContent = text;
  $(name).setAttribute("aria-valuetext", text);
}

function send() {
  clearTimeout(typing);
  numbers.words();
  socket?.say(settings());
  notBefore = 0;
  step();
}

$("text").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(send, PAUSE);
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
for (const name of SLIDERS) {
  $(name).addEventListener("input", () => {
    told(name);
    if (name === "opacity") view.draw(opacity());
    else socket?.say({ [name]: Number($(name).value) });
  });
}
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Resume" : "Pause";
  step();
});
for (const radio of document.querySelectorAll("[name=camera]")) radio.addEventListener("change", () => use(radio.value));
$("begin-own").addEventListener("click", () => use("own"));
$("alert-close").addEventListener("click", () => ($("alert").hidden = true));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if (socket?.open) step();
  else connect();
});
window.addEventListener("resize", () => view.bitmap && fit());

theme();
connect();
