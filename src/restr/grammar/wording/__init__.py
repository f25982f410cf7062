"""How a description is said: phrases, cues, ellipses, typing styles."""
