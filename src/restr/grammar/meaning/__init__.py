"""The meaning of scenes and descriptions: facts, relations, and which instances a description fits."""
