"""One expression through the frames of a video: which frames are computed, and how masks are smoothed."""
