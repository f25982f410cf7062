"""The ``restr`` command: one small module per verb, imported when the verb is used."""
