"""``restr bulk``: its options, its progress, and the summary that it prints."""
