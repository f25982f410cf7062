"""Datasets in tar or parquet shards, on this machine or behind an address, of which only what is needed is read."""
