"""``restr predict``: its options, light to import, and its work."""
