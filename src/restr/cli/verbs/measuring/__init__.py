"""The verbs that measure: models, masks of any program, and variants."""
