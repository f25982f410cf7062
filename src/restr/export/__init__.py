"""Models as graphs for other runtimes, and how near each comes to PyTorch."""
