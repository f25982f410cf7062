"""Training on cached features of a frozen vision encoder."""
