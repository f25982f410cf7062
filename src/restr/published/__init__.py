"""Published datasets: their files, fetched to the places that the readers expect."""
