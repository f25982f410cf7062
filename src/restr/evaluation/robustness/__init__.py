"""Accuracy under changed sentences and pictures."""
