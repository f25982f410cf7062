"""Live pictures: one stream a viewer, in which the newest picture is computed and older ones are dropped."""
