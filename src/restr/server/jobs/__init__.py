"""The work for a request, without HTTP."""
