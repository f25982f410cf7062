"""Tables of variants over seeds, with what each costs: ``restr ablate``."""
