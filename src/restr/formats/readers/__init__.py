"""Readers: one module a published layout, each a function from files to ``Entry`` records."""
