"""Building blocks with timm's parameter names: attention (full and windowed), Transformer, patches, positions."""
