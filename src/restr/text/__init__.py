"""Words of a sentence, their ids, and word vectors from files."""
