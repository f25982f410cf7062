// This device's camera: its newest picture, small enough to send, and how many it has shown.

const LONGEST = 640; // pixels of what is sent; the model reads no more
const QUALITY = 0.85;

function scaled(width, height) {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

export class OwnCamera {
  /** video: the element that plays it. onPicture: called for each of its pictures. */
  constructor(video, onPicture) {
    Object.assign(this, { video, onPicture, shown: 0, since: 0 });
    this.sheet = new OffscreenCanvas(1, 1);
    this.pen = this.sheet.getContext("2d");
  }

  /** Raises what getUserMedia raises, such as NotAllowedError. */
  async open() {
    const ideal = { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "environment" };
    this.video.srcObject = await navigator.mediaDevices.getUserMedia({ video: ideal, audio: false });
    Object.assign(this, { shown: 0, before: null });
    await this.video.play();
    this.#watch();
  }

  #watch() {
    const { video } = this;
    const seen = (now, facts = {}) => {
      if (!video.srcObject) return;
      this.shown++;
      if (facts.presentedFrames) {
        this.before ??= facts.presentedFrames - 1; // those of a camera that was open before
        this.shown = facts.presentedFrames - this.before;
      }
      this.since = facts.captureTime ?? now;
      this.onPicture();
      this.#watch();
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(seen);
    else requestAnimationFrame(seen); // older browsers: the screen's rate stands for the camera's
  }

  /** The picture of this moment: {bitmap, blob, since}. since: performance.now() when the camera took it. */
  async take() {
    const { since, video } = this;
    const bitmap = await createImageBitmap(video);
    const [width, height] = scaled(bitmap.width, bitmap.height);
    Object.assign(this.sheet, { width, height });
    this.pen.drawImage(bitmap, 0, 0, width, height);
    return { bitmap, since, blob: await this.sheet.convertToBlob({ type: "image/jpeg", quality: QUALITY }) };
  }

  close() {
    for (const track of this.video.srcObject?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
  }
}
