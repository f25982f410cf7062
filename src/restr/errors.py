"""Every error that restr raises on purpose; its message names the value, the expectation and the next step."""


class RestrError(Exception):
    """Base of all restr errors; catch it to handle everything that restr refuses."""


class ConfigError(RestrError, ValueError):
    """A configuration value cannot work, alone or in combination with another."""


class UsageError(RestrError):
    """The command line itself is wrong; the message says what to type instead."""


class ImageError(RestrError, ValueError):
    """An image cannot be read or is not one: truncated, empty, too large, of an unknown kind."""


class ImageTooLargeError(ImageError):
    """An image has more pixels than the limit."""


class CameraError(RestrError):
    """A camera, clip or stream gives no pictures: not there, in use, or not allowed."""


class VideoError(RestrError, ValueError):
    """A video or a camera cannot be read, or a video cannot be written."""


class TextError(RestrError, ValueError):
    """An expression is empty or not text."""


class WeightsError(RestrError):
    """Weights are missing, unreadable or do not fit the model."""


class DataError(RestrError):
    """A dataset on disk is incomplete or contradicts itself."""


class DatasetError(DataError):
    """A file of a dataset is missing, damaged or in an unexpected layout; names file and record."""


class UnreachableError(DatasetError):
    """The storage of a dataset cannot be reached; its files may be sound."""


class MissingFileError(UnreachableError):
    """A storage that can be reached has no such file."""


class OutputError(RestrError, OSError):
    """A file cannot be written: no permission, no space, or no folder where it should go."""


class WorkerError(RestrError):
    """The worker processes of a long run cannot be started, or end before they do anything."""


class DivergedError(RestrError):
    """The loss or the gradient is not finite in too many steps."""


class CheckpointError(RestrError):
    """A training checkpoint is missing, unreadable or belongs to another run."""


def why_unreadable(error: Exception) -> str:
    """Why torch could not read a file, in a few words.

    torch's own message advises to read a file of unknown origin with ``weights_only=False``, which would run its code.
    """
    import pickle
    import re

    if isinstance(error, pickle.UnpicklingError):
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        return f"it names {named[1]}, which is no tensor" if named else "it is damaged, or holds more than tensors"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it is damaged, or not a file of torch"
