"""The reports of an evaluation: files, a page, pictures of cases, and published numbers for comparison."""
