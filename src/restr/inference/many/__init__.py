"""Many pictures: several at once, on all cores, with results in the order of the pictures."""
