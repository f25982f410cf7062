"""Drawn scenes of shapes, and sentences about them."""
