"""The ``restr`` command: one small module a verb, imported when the verb is used."""
