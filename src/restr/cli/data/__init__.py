"""``restr data VERB``: one module per verb."""
