"""One module for each verb of ``restr``; none imports another."""
