"""The fastest runtime of this processor: what was measured, and the exports in the user's cache. Needs no torch."""
