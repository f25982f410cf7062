"""Readers: one module per published layout, each with a function from files to ``Entry`` records."""
