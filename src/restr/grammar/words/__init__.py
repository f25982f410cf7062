"""Word lists: things, people, sides, frames of sentences."""
