// The numbers beside a live picture: what was found, how many pictures a second, how old each is.

const $ = (id) => document.getElementById(id);
const WINDOW = 3000; // milliseconds over which the rate is counted,
const LEAST = 5; // or as many pictures, if they take longer
const QUIET = 3000; // milliseconds between two things said to a screen reader

const LAST = 15; // pictures of which the median times are shown

const median = (times) => `${Math.round([...times].sort((a, b) => a - b)[times.length >> 1])} ms`;
const percent = (share) => `${Math.round(100 * share)}%`;

function set(id, text) {
  if ($(id).textContent !== String(text)) $(id).textContent = text;
}

export class LiveNumbers {
  constructor() {
    this.restart();
  }

  restart() {
    Object.assign(this, { times: [], delays: [], work: [], asked: 0, drawn: 0, seen: 0, late: 0, said: "", saidAt: 0 });
    this.base = null; // the server's counts when this camera began
  }

  /** New words: what was found is to be said again. */
  words() {
    this.said = "";
  }

  /** This device's camera has shown so many pictures. */
  camera(count) {
    this.seen = count;
    this.#counts();
  }

  sent() {
    this.asked++;
    this.#counts();
  }

  #counts() {
    set("count-camera", this.seen);
    set("count-sent", this.asked);
    set("count-shown", this.drawn);
    set("count-dropped", Math.max(0, this.seen - this.asked) + this.late);
  }

  /** facts: an answer's document. delay: milliseconds from the camera to the screen. */
  show(facts, delay) {
    const now = performance.now();
    this.drawn++;
    this.times = this.times.filter((time, i, all) => now - time < WINDOW || i >= all.length - LEAST);
    this.times.push(now);
    this.delays = [...this.delays.slice(1 - LAST), delay];
    if (facts.compute_ms !== undefined) this.work = [...this.work.slice(1 - LAST), facts.compute_ms];
    const { counts } = facts;
    this.base ??= { computed: counts.computed - 1, dropped: counts.dropped };
    const computed = counts.computed - this.base.computed;
    const late = counts.dropped - this.base.dropped;
    if (facts.age_ms === null) this.late = late; // sent, and dropped there
    else Object.assign(this, { asked: this.drawn, seen: this.drawn + late }); // the server's camera, from the first one shown
    set("count-computed", computed);
    this.#counts();
    const span = this.times.length > 1 ? now - this.times[0] : 0;
    set("rate", span ? ((1000 * (this.times.length - 1)) / span).toFixed(1) : "–");
    set("delay", median(this.delays));
    set("compute", facts.compute_ms === undefined ? "–" : median(this.work));
    this.#found(facts, now);
  }

  #found(facts, now) {
    const named = facts.text !== undefined;
    const word = !named ? "–" : facts.found ? percent(facts.area / (facts.width * facts.height)) + " of the picture" : "not found";
    set("found", word);
    set("score", named && facts.found ? facts.score.toFixed(2) : "–");
    set("presence-now", named && facts.presence !== null ? percent(facts.presence) : "–");
    $("said").hidden = !named;
    if (!named) return;
    set("said", facts.found ? `${facts.text} · ${facts.score.toFixed(2)}` : `${facts.text} · not found`);
    const told = facts.found ? `${facts.text}: found` : `${facts.text}: not found`;
    if (told === this.said || now - this.saidAt < QUIET) return;
    Object.assign(this, { said: told, saidAt: now });
    $("live").textContent = told;
  }
}
