"""The forms of input of a bulk run: lists of pictures, tables, and WebDataset shards; on a disk or behind an address."""
