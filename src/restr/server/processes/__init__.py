"""Who runs the server: one process, several under a supervisor, or Ray."""
