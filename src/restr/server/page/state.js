// The page's state: one photograph, and the layers named in it.

export const state = {
  photo: null, // Photo; ready is the promise of its handle
  ready: null,
  name: "",
  layers: [],
  selected: null,
  draft: null, // the layer of the words in the field
  threshold: 0.5,
  opacity: 0.48,
  mode: "mask",
  compare: false,
  wipe: 0.5,
};

export const layerOf = (id) => state.layers.find((layer) => layer.id === id);

/** The visible layers that have an answer. */
export function shown() {
  const alone = state.layers.filter((layer) => layer.solo);
  return (alone.length ? alone : state.layers.filter((layer) => layer.visible)).filter((layer) => layer.map);
}
