"""``restr completion``: reads the verbs' help pages, and writes scripts by which shells complete words."""
