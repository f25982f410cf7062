// Downloads, made here from the probability maps at the photograph's own size.

import { boxOf, outlinesOf, rleOf, simplified } from "./mask.js";

/** Words in a form that every file system takes: "The man's hat!" -> "the-mans-hat". */
export function slug(text) {
  const plain = text.normalize("NFKC").toLowerCase().replace(/['\u2019]/g, "");
  return plain.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 48) || "result";
}

function hand(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function picture({ width, height, inside }, colourOf) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  const words = new Uint32Array(pixels.data.buffer);
  for (let i = 0; i < words.length; i++) words[i] = colourOf(inside[i]);
  context.putImageData(pixels, 0, 0);
  return canvas;
}

const png = (canvas) => canvas.convertToBlob({ type: "image/png" });

/** White inside, black outside. */
async function maskFile(mask) {
  return png(picture(mask, (value) => (value ? 0xffffffff : 0xff000000)));
}

/** The thing alone, cropped to its box, clear around it. */
async function cutoutFile(mask, file) {
  const [x0, y0, x1, y1] = boxOf(mask);
  const photo = await createImageBitmap(file, { imageOrientation: "from-image" });
  const canvas = new OffscreenCanvas(x1 - x0, y1 - y0);
  const context = canvas.getContext("2d");
  context.drawImage(picture(mask, (value) => (value ? 0xff000000 : 0)), -x0, -y0);
  context.globalCompositeOperation = "source-in";
  context.drawImage(photo, -x0, -y0, mask.width, mask.height);
  photo.close();
  return png(canvas);
}

const safe = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** A path for every layer, to lay over the photograph in any drawing program. masks: one per layer. */
function svgText(layers, masks) {
  const { width, height } = masks[0];
  const line = Math.max(1, Math.round(Math.max(width, height) / 320));
  const tolerance = Math.max(0.9, Math.max(width, height) / 1200);
  const paths = layers.map((layer, i) => {
    const rings = outlinesOf(masks[i]).map((corners) => simplified(corners, tolerance)).filter((ring) => ring.length > 2);
    const d = rings.map((ring) => `M${ring.map((point) => point.join(" ")).join("L")}Z`).join("");
    const paint = `fill="${layer.colour}" fill-opacity="0.45" fill-rule="evenodd" stroke="${layer.colour}" stroke-width="${line}"`;
    return `  <path d="${d}" ${paint} stroke-linejoin="round"><title>${safe(layer.text)}</title></path>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    ...paths,
    "</svg>",
    "",
  ].join("\n");
}

/** As restr writes COCO: one annotation per layer, its sentence under "text", run lengths that pycocotools reads. */
function cocoText(layers, masks, name, threshold) {
  const { width, height } = masks[0];
  const annotations = layers.map((layer, i) => {
    const [x0, y0, x1, y1] = boxOf(masks[i]) ?? [0, 0, 0, 0];
    const { area, score } = layer.map.measure(threshold);
    return {
      id: i + 1,
      image_id: 1,
      category_id: 1,
      segmentation: rleOf(masks[i]),
      area,
      bbox: [x0, y0, x1 - x0, y1 - y0],
      iscrowd: 0,
      score: Math.round(1e4 * score) / 1e4,
      text: layer.text,
    };
  });
  const images = [{ id: 1, file_name: name, height, width }];
  return `${JSON.stringify({ images, annotations, categories: [{ id: 1, name: "referent" }] })}\n`;
}

/** Hand one file to the browser. kind: mask, cutout (of `selected`), svg, coco (of `layers`). Returns its name. */
export async function download(kind, { selected, layers, threshold, file }) {
  const stem = slug((file.name || "photograph").replace(/\.[^.]*$/, ""));
  if (kind === "mask" || kind === "cutout") {
    const mask = await selected.map.mask(threshold);
    const name = `${stem}-${slug(selected.text)}.${kind}.png`;
    hand(await (kind === "mask" ? maskFile(mask) : cutoutFile(mask, file)), name);
    return name;
  }
  const masks = [];
  for (const layer of layers) masks.push(await layer.map.mask(threshold));
  const name = kind === "svg" ? `${stem}.outlines.svg` : `${stem}.coco.json`;
  const text = kind === "svg" ? svgText(layers, masks) : cocoText(layers, masks, file.name || "photograph", threshold);
  hand(new Blob([text], { type: kind === "svg" ? "image/svg+xml" : "application/json" }), name);
  return name;
}
