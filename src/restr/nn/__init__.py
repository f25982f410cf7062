"""Building blocks with timm's parameter names: attention, Transformer, patches, positions."""
