"""``restr data VERB``: a module a verb."""
