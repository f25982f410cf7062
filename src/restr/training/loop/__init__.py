"""The training loop: steps, checkpoints, processes, measuring on the way."""
