"""Bytes from strangers: fetched, checked and decoded."""
