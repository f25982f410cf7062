"""Datasets as files: readers, writers, shards, and the catalog that finds a dataset by name."""
