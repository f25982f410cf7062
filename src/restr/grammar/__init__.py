"""Sentences generated from masks: what is seen, what sets a thing apart, and how people would say it."""
