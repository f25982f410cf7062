"""Stores of kept images' files, which outlive a process."""
