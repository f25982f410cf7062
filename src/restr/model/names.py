"""The files of a model folder; here, so that naming them needs no torch."""

CONFIG, WEIGHTS, VOCABULARY = "config.json", "model.safetensors", "vocab.txt"
