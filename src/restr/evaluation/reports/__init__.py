"""What an evaluation leaves behind: files, a page, pictures of cases, and published numbers beside its own."""
