"""The runtimes that compute a model; each takes and gives NumPy arrays."""
