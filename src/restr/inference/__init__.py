"""``Segmenter`` and ``Result``: from a photograph and a sentence to a mask."""
