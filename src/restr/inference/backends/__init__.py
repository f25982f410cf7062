"""Runtimes behind one interface: PyTorch, and what ``restr export`` writes."""
