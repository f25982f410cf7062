"""Exports for other runtimes: graphs, their files, and how close they are to the model."""
