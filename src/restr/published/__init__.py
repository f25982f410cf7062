"""Published datasets: their files, and how they get to where the readers expect them."""
