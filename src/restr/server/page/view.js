// The picture on the canvas: the photograph with its layers as masks, as a cutout or as a heatmap, and the wipe over it.

import { cutOf, greys } from "./mask.js";

const LONGEST = 2048; // of the canvas and of the photograph kept for it; the upload is never made smaller
const FADE = 180; // milliseconds in which a new mask appears
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Colours of the heatmap from 0 to 1: dark and cool to light and warm, evenly rising in lightness.
const HEAT = [[18, 14, 54], [74, 20, 110], [150, 40, 120], [221, 76, 94], [250, 143, 92], [252, 214, 140], [255, 250, 215]];

function rgb(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

const packed = ([r, g, b], alpha) => ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;

function heatTable() {
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const place = (value / 255) * (HEAT.length - 1);
    const low = Math.min(HEAT.length - 2, Math.floor(place));
    const colour = HEAT[low].map((part, i) => Math.round(part + (HEAT[low + 1][i] - part) * (place - low)));
    return packed(colour, Math.round(135 + 65 * (value / 255)));
  });
}

/** Inside a mask opaque, outside clear, and a soft step of a few grey values between, so that no edge is jagged. */
function stepTable(cut, colour) {
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const share = Math.min(1, Math.max(0, (value - cut) / 8 + 0.5));
    return packed(colour, Math.round(255 * share));
  });
}

function painted(field, table, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  const words = new Uint32Array(pixels.data.buffer);
  for (let i = 0; i < field.length; i++) words[i] = table[field[i]];
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** A line around what is opaque in a stencil, `thickness` pixels outside of it. */
export function rim(stencil, thickness) {
  const canvas = new OffscreenCanvas(stencil.width, stencil.height);
  const context = canvas.getContext("2d");
  for (let i = 0; i < 16; i++) {
    const angle = (i / 16) * 2 * Math.PI;
    context.drawImage(stencil, thickness * Math.cos(angle), thickness * Math.sin(angle));
  }
  context.globalCompositeOperation = "destination-out";
  context.drawImage(stencil, 0, 0);
  return canvas;
}

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.heat = heatTable();
  }

  /** A decoded photograph, upright; width and height are the original's. */
  async show(bitmap) {
    const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
    this.photo?.close();
    this.photo = bitmap;
    this.aspect = bitmap.width / bitmap.height;
    if (scale < 1) {
      const size = { resizeWidth: Math.round(bitmap.width * scale), resizeHeight: Math.round(bitmap.height * scale) };
      this.photo = await createImageBitmap(bitmap, { ...size, resizeQuality: "high" });
      bitmap.close();
    }
  }

  /** Fit the canvas to a size in CSS pixels, sharp at the screen's resolution. */
  fit(cssWidth, cssHeight) {
    const ratio = Math.min(devicePixelRatio || 1, LONGEST / Math.max(cssWidth, cssHeight));
    const width = Math.max(1, Math.round(cssWidth * ratio));
    const height = Math.max(1, Math.round(cssHeight * ratio));
    this.ratio = ratio;
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
  }

  /** The layer's stencil and rim at the canvas' size and this threshold; made again only when one of them changed. */
  #stencil(layer, threshold) {
    const { width, height } = this.canvas;
    const cut = cutOf(threshold);
    const size = `${width}x${height}`;
    if (layer.drawn?.map !== layer.map || layer.drawn.size !== size) {
      layer.drawn = { map: layer.map, size, field: greys(layer.map.preview, width, height) };
    }
    const drawn = layer.drawn;
    if (drawn.cut !== cut || drawn.colour !== layer.colour) {
      const stencil = painted(drawn.field, stepTable(cut, rgb(layer.colour)), width, height);
      Object.assign(drawn, { cut, colour: layer.colour, stencil, rim: rim(stencil, 2 * this.ratio) });
    }
    return drawn;
  }

  #sheet() {
    const sheet = new OffscreenCanvas(this.canvas.width, this.canvas.height);
    return [sheet, sheet.getContext("2d")];
  }

  /**
   * Draw one frame. layers: those to show, in order; selected: the one of the heatmap. Returns whether another
   * frame is to follow, for a mask that is still fading in.
   */
  draw({ layers, selected, threshold, opacity, mode, wipe }) {
    if (!this.photo) return false;
    const { context, canvas } = this;
    const { width, height } = canvas;
    const now = performance.now();
    const ages = layers.map((layer) => (still.matches ? 1 : Math.min(1, (now - layer.since) / FADE)));
    context.imageSmoothingQuality = "high";
    context.globalAlpha = 1;
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, width, height);
    if (mode === "cutout" && layers.length) this.#cutout(layers, threshold);
    else {
      context.drawImage(this.photo, 0, 0, width, height);
      if (mode === "heat" && selected) this.#heatmap(selected, threshold);
      else if (layers.length) this.#masks(layers, ages, threshold, opacity);
    }
    if (wipe !== null) {
      context.save();
      context.beginPath();
      context.rect(0, 0, width * wipe, height);
      context.clip();
      context.drawImage(this.photo, 0, 0, width, height);
      context.restore();
    }
    return ages.some((age) => age < 1);
  }

  #masks(layers, ages, threshold, opacity) {
    const { context } = this;
    const drawn = layers.map((layer) => this.#stencil(layer, threshold));
    const [shade, pen] = this.#sheet();
    pen.fillStyle = "#0b0d10";
    pen.fillRect(0, 0, shade.width, shade.height);
    pen.globalCompositeOperation = "destination-out";
    for (const { stencil } of drawn) pen.drawImage(stencil, 0, 0);
    if (layers.some((layer) => layer.map.measure(threshold).area)) {
      context.globalAlpha = 0.9 * opacity * Math.max(...ages);
      context.drawImage(shade, 0, 0);
    }
    drawn.forEach(({ stencil, rim: line }, i) => {
      context.globalAlpha = opacity * ages[i];
      context.drawImage(stencil, 0, 0);
      context.globalAlpha = ages[i];
      context.drawImage(line, 0, 0);
    });
    context.globalAlpha = 1;
  }

  #cutout(layers, threshold) {
    const { context, canvas, ratio } = this;
    const side = Math.max(4, Math.round(10 * ratio));
    const tile = new OffscreenCanvas(2 * side, 2 * side);
    const squares = tile.getContext("2d");
    squares.fillStyle = "#f4f4f2";
    squares.fillRect(0, 0, 2 * side, 2 * side);
    squares.fillStyle = "#e2e2de";
    squares.fillRect(0, 0, side, side);
    squares.fillRect(side, side, side, side);
    context.fillStyle = context.createPattern(tile, "repeat");
    context.fillRect(0, 0, canvas.width, canvas.height);
    const [sheet, pen] = this.#sheet();
    for (const layer of layers) pen.drawImage(this.#stencil(layer, threshold).stencil, 0, 0);
    pen.globalCompositeOperation = "source-in";
    pen.drawImage(this.photo, 0, 0, sheet.width, sheet.height);
    context.drawImage(sheet, 0, 0);
  }

  #heatmap(layer, threshold) {
    const { context, canvas } = this;
    const drawn = this.#stencil(layer, threshold);
    drawn.heat ??= painted(drawn.field, this.heat, canvas.width, canvas.height);
    context.globalCompositeOperation = "saturation"; // works in every browser, unlike a canvas filter for grey
    context.fillStyle = "#808080";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = "source-over";
    context.drawImage(drawn.heat, 0, 0);
    if (!layer.map.marked) return;
    const [line, pen] = this.#sheet();
    pen.drawImage(drawn.rim, 0, 0);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, line.width, line.height);
    context.drawImage(line, 0, 0);
  }
}
