"""The outputs of a run: log, record, curves, sheets, report, loggers."""
