"""What a scene means: facts, relations, and which instances a description fits."""
