"""Looking at a dataset: what is wrong with it, and every sample in a browser."""
