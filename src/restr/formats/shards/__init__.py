"""Datasets in tar or parquet shards, local or remote; reads only the parts that are needed."""
