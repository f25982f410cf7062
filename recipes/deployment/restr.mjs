// restr in a browser (or Node): an ONNX export run by onnxruntime-web. `ort` is that module; no other dependency.

/** Load an export folder. read(name) gives a file's ArrayBuffer; options go to the sessions. */
export async function load(ort, read, options = {}) {
  const text = async (name) => new TextDecoder().decode(await read(name));
  const facts = JSON.parse(await text("restr.json"));
  refuse(facts.config);
  const lines = (await text("vocab.txt")).replace(/\n$/, "").split("\n");
  const words = new Map(lines.map((word, line) => [word, BigInt(line + 2)]));
  const session = async (graph) => ort.InferenceSession.create(new Uint8Array(await read(facts.files[graph])), options);
  return { ort, facts, words, encoder: await session("image_encoder"), expression: await session("expression") };
}

/** Models that read words or photographs in another way than this module, such as those of the released program. */
function refuse({ language, fusion, preprocess }) {
  const other = {
    "language.reading": language.reading === "literal",
    "language.unknown_row": (language.unknown_row ?? 1) !== 1,
    "language.padding": language.padding === "left",
    "attend_padding": language.attend_padding || fusion.attend_padding,
    "preprocess.place": preprocess.place === "centre",
  };
  const found = Object.keys(other).filter((name) => other[name]);
  if (found.length) throw new Error(`restr.mjs does not know this model's ${found.join(", ")}; run it with restr in Python`);
}

/** The [width, height] to which a photograph is resized before `encode`. */
export function inputSize({ facts }, width, height) {
  const { size, fit } = facts.config.preprocess, patch = facts.config.vision.patch;
  if (fit !== "longest") return [size, size]; // "letterbox" exports: draw at the top left over the mean colour
  const longest = Math.max(width, height);
  return [width, height].map((side) => Math.max(1, Math.floor((side * size) / longest / patch + 0.5)) * patch);
}

/** The costly half, once a photograph: rgba as ImageData has it, of `inputSize`. */
export async function encode(model, rgba, width, height) {
  const { mean, std } = model.facts.config.preprocess, pixels = width * height;
  const values = new Float32Array(3 * pixels);
  for (let channel = 0; channel < 3; channel++)
    for (let i = 0; i < pixels; i++)
      values[channel * pixels + i] = (rgba[4 * i + channel] / 255 - mean[channel]) / std[channel];
  const image = new model.ort.Tensor("float32", values, [1, 3, height, width]);
  return (await model.encoder.run({ image })).patches;
}

/** Rows of the words: those of the vocabulary as they are; restr in Python also corrects their spelling. */
export function rows(model, text) {
  const found = text.toLowerCase().match(/[\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*/gu) ?? [];
  const split = found.flatMap((word) => (model.words.has(word) ? [word] : word.split("-")));
  if (!split.length) throw new Error(`${JSON.stringify(text)} holds no word; name what to segment`);
  const ids = split.slice(0, model.facts.config.language.max_words);
  return ids.map((word) => model.words.get(word === "a" ? "an" : word) ?? 1n);
}

const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/**
 * One sentence on an encoded photograph. prob: probabilities, row by row, of `inputSize`. presence: how likely the photograph
 * shows what is meant, null from a model that does not say; present: whether that is enough, as the model has it.
 */
export async function segment(model, patches, text) {
  const ids = rows(model, text);
  const tensor = new model.ort.Tensor("int64", BigInt64Array.from(ids), [1, ids.length]);
  const said = await model.expression.run({ patches, ids: tensor });
  const presence = said.presence ? sigmoid(said.presence.data[0]) : null;
  const present = presence === null || presence >= model.facts.config.presence.threshold;
  return { prob: Float32Array.from(said.logits.data, sigmoid), presence, present };
}
