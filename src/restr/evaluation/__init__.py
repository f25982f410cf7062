"""Measuring a model or masks on a dataset: protocols, comparisons, calibration, robustness, reports."""
