// A live picture with its mask on the canvas, as the page for photographs draws them.

import { rim } from "./view.js";

const COLOUR = "#56b4e9";
const SHADE = "#0b0d10";

export class LiveView {
  constructor(canvas) {
    Object.assign(this, { canvas, context: canvas.getContext("2d"), bitmap: null, stencil: null });
  }

  /** Show a picture with its mask, a bitmap that is opaque inside and transparent outside, or null. */
  show(bitmap, mask, opacity) {
    if (bitmap !== this.bitmap) this.bitmap?.close();
    this.bitmap = bitmap;
    const { width, height } = bitmap;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.stencil = mask && this.#coloured(mask);
    this.draw(opacity);
  }

  #sheet() {
    const sheet = new OffscreenCanvas(this.canvas.width, this.canvas.height);
    return [sheet, sheet.getContext("2d")];
  }

  #coloured(mask) {
    const [sheet, pen] = this.#sheet();
    pen.imageSmoothingQuality = "high";
    pen.drawImage(mask, 0, 0, sheet.width, sheet.height);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = COLOUR;
    pen.fillRect(0, 0, sheet.width, sheet.height);
    mask.close();
    return sheet;
  }

  draw(opacity) {
    const { context, bitmap, stencil } = this;
    if (!bitmap) return;
    context.globalAlpha = 1;
    context.drawImage(bitmap, 0, 0);
    if (!stencil) return;
    const [shade, pen] = this.#sheet();
    pen.fillStyle = SHADE;
    pen.fillRect(0, 0, shade.width, shade.height);
    pen.globalCompositeOperation = "destination-out";
    pen.drawImage(stencil, 0, 0);
    context.globalAlpha = 0.9 * opacity;
    context.drawImage(shade, 0, 0);
    context.globalAlpha = opacity;
    context.drawImage(stencil, 0, 0);
    context.globalAlpha = 1;
    context.drawImage(rim(stencil, Math.max(1.5, this.canvas.width / 400)), 0, 0);
  }
}
