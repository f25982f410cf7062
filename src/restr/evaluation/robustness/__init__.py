"""What is left of a model when sentences and pictures are changed."""
