// A probability map in the browser: decoded once, cut at any threshold, measured, traced and packed as COCO does.

const PREVIEW = 1600; // the longest side that is kept for looking at; downloads use the whole map

function bytesOf(base64) {
  const text = atob(base64.slice(base64.indexOf(",") + 1)); // with or without "data:image/png;base64,"
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** The grey values of a picture, row by row, at the size given. */
export function greys(picture, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const values = new Uint8Array(pixels.length);
  for (let i = 0; i < values.length; i++) values[i] = pixels[i] & 255;
  return values;
}

/** The least grey value inside the mask. threshold: 0 to 1. */
export const cutOf = (threshold) => Math.max(1, Math.ceil(threshold * 255));

/** The logarithm of the odds, kept finite. */
function logit(probability) {
  const inner = Math.min(Math.max(probability, 1e-6), 1 - 1e-6);
  return Math.log(inner / (1 - inner));
}

/**
 * The probability of each pixel of the photograph to belong to the named thing; 255 is certain. presence: the probability
 * that the photograph shows the thing at all, null if the model does not say. If it is below the model's threshold the thing
 * is absent, and there is no mask unless `guess` is set.
 */
export class ProbabilityMap {
  guess = false;

  /** model: its entry in /v1/models. */
  static async from({ prob: base64, presence }, model) {
    const map = Object.assign(new ProbabilityMap(), { presence, model });
    map.blob = new Blob([bytesOf(base64)], { type: "image/png" });
    const whole = await createImageBitmap(map.blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    const { width, height } = whole;
    Object.assign(map, { width, height, counts: new Float64Array(256) });
    for (const value of greys(whole, width, height)) map.counts[value]++;
    const scale = Math.min(1, PREVIEW / Math.max(width, height));
    map.preview = whole;
    if (scale < 1) {
      const size = { resizeWidth: Math.round(width * scale), resizeHeight: Math.round(height * scale) };
      map.preview = await createImageBitmap(whole, { ...size, resizeQuality: "high" });
      whole.close();
    }
    return map;
  }

  /** Whether the photograph probably does not show what was named. */
  get absent() {
    return this.presence !== null && this.presence < this.model.presence;
  }

  /** Whether there is a mask to look at. */
  get marked() {
    return !this.absent || this.guess;
  }

  /** {area, share, score} at a threshold, from the counts of grey values. score: how likely the mask is right. */
  measure(threshold) {
    let area = 0;
    let sum = 0;
    for (let value = cutOf(threshold); this.marked && value < 256; value++) {
      area += this.counts[value];
      sum += value * this.counts[value];
    }
    return { area, share: area / (this.width * this.height), score: area ? this.#score(sum / area / 255) : 0 };
  }

  /** The score, computed as on the server. certainty: the mean probability in the mask. */
  #score(certainty) {
    const { bias, certainty: weight, presence } = this.model.scoring;
    const said = this.presence === null ? 0 : presence * logit(this.presence);
    return 1 / (1 + Math.exp(-(bias + weight * logit(certainty) + said)));
  }

  /** The mask at the photograph's own size: {width, height, inside}, inside: one byte per pixel, 1 or 0, row by row. */
  async mask(threshold) {
    const whole = await createImageBitmap(this.blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    const inside = greys(whole, this.width, this.height);
    whole.close();
    const cut = this.marked ? cutOf(threshold) : 256;
    for (let i = 0; i < inside.length; i++) inside[i] = inside[i] >= cut ? 1 : 0;
    return { width: this.width, height: this.height, inside };
  }
}

/** The tightest box [x0, y0, x1, y1] around a mask, x1 and y1 exclusive; null if it is empty. */
export function boxOf({ width, height, inside }) {
  let [x0, y0, x1, y1] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    const left = inside.subarray(y * width, (y + 1) * width).indexOf(1);
    if (left < 0) continue;
    const right = inside.subarray(y * width, (y + 1) * width).lastIndexOf(1);
    x0 = Math.min(x0, left);
    x1 = Math.max(x1, right + 1);
    y0 = Math.min(y0, y);
    y1 = y + 1;
  }
  return y1 ? [x0, y0, x1, y1] : null;
}

/** A mask as COCO's compressed run lengths: column by column, counts of outside and inside in turn. */
export function rleOf({ width, height, inside }) {
  const runs = [];
  let run = 0;
  let before = 0;
  for (let x = 0; x < width; x++) {
    for (let at = x; at < width * height; at += width) {
      if (inside[at] !== before) {
        runs.push(run);
        run = 0;
        before = inside[at];
      }
      run++;
    }
  }
  runs.push(run);
  return { size: [height, width], counts: packed(runs) };
}

// From the third run on, the difference to the run two before is written: five bits per letter, the lowest first.
function packed(runs) {
  let text = "";
  runs.forEach((run, i) => {
    let left = i > 2 ? run - runs[i - 2] : run;
    for (let more = true; more; ) {
      const bits = left & 31;
      left >>= 5;
      more = bits & 16 ? left !== -1 : left !== 0;
      text += String.fromCharCode(48 + (more ? bits | 32 : bits));
    }
  });
  return text;
}

/** Every outline of a mask, holes too, as closed lists of [x, y] corners along the pixels' edges; inside to the right. */
export function outlinesOf({ width, height, inside }) {
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && inside[y * width + x] === 1;
  const seen = new Uint8Array(width * height); // pixels whose upper edge has been walked
  const outlines = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!at(x, y) || at(x, y - 1) || seen[y * width + x]) continue;
      outlines.push(walk(x, y));
    }
  }
  return outlines;

  function walk(startX, startY) {
    const corners = [];
    let [x, y, dx, dy] = [startX, startY, 1, 0];
    do {
      if (dx === 1) seen[y * width + x] = 1; // along the upper edge of pixel (x, y)
      x += dx;
      y += dy;
      // The two pixels ahead, to the right and to the left.
      const right = at(x + (dx - dy - 1) / 2, y + (dy + dx - 1) / 2);
      const left = at(x + (dx + dy - 1) / 2, y + (dy - dx - 1) / 2);
      const [oldX, oldY] = [dx, dy];
      if (!right) [dx, dy] = [-dy, dx];
      else if (left) [dx, dy] = [dy, -dx];
      if (dx !== oldX || dy !== oldY) corners.push([x, y]);
    } while (x !== startX || y !== startY || dx !== 1);
    return corners;
  }
}

/** An outline with fewer corners, none further than `tolerance` pixels from the old line (Douglas and Peucker). */
export function simplified(corners, tolerance = 0.9) {
  const keep = new Uint8Array(corners.length + 1);
  const closed = [...corners, corners[0]];
  const middle = Math.floor(corners.length / 2);
  keep[0] = keep[middle] = keep[corners.length] = 1;
  const open = [[0, middle], [middle, corners.length]];
  while (open.length) {
    const [first, last] = open.pop();
    const [[ax, ay], [bx, by]] = [closed[first], closed[last]];
    const length = Math.hypot(bx - ax, by - ay);
    let [worst, where] = [tolerance, -1];
    for (let i = first + 1; i < last; i++) {
      const [px, py] = closed[i];
      const far = length ? Math.abs((bx - ax) * (ay - py) - (ax - px) * (by - ay)) / length : Math.hypot(px - ax, py - ay);
      if (far > worst) [worst, where] = [far, i];
    }
    if (where < 0) continue;
    keep[where] = 1;
    open.push([first, where], [where, last]);
  }
  return corners.filter((_, i) => keep[i]);
}
