"""What is done for a request, without HTTP."""
