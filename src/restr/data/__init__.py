"""Samples: an image, a sentence and the pixels that it means, indexed, ordered and batched."""
