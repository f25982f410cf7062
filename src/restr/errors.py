"""Every error that restr raises on purpose: each names the value, the expectation and the next step."""


class RestrError(Exception):
    """Base of all restr errors; catch this one to handle whatever restr refuses."""


class ConfigError(RestrError, ValueError):
    """A configuration value cannot work, alone or beside another."""


class ImageError(RestrError, ValueError):
    """An image cannot be read or is not one: truncated, empty, too large, of an unknown kind."""


class ImageTooLargeError(ImageError):
    """An image has more pixels than are opened."""


class TextError(RestrError, ValueError):
    """An expression is empty or not text."""


class WeightsError(RestrError):
    """Weights are missing, unreadable or do not fit the model."""


class DataError(RestrError):
    """A dataset on disk is incomplete or contradicts itself."""


class DatasetError(DataError):
    """A file of a dataset is missing, damaged or not in the layout that it should have; names file and record."""


class UnreachableError(DatasetError):
    """What holds a dataset's files cannot be reached; nothing is said of the files themselves."""


class OutputError(RestrError, OSError):
    """A file cannot be written: no permission, no space, or no folder where it should go."""


class DivergedError(RestrError):
    """The loss or a gradient is no longer a number."""


class CheckpointError(RestrError):
    """A training checkpoint is missing, unreadable or belongs to another run."""
