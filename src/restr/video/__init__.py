"""Videos and cameras: reading, drawing, writing (extra ``video``)."""
