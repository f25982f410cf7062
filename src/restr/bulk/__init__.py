"""Prediction in bulk: millions of rows of (image, expression), on one machine or a cluster."""
