"""Entries: what a dataset says of one region and one sentence, kept in an index until it is opened."""
