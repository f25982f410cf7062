"""What a run leaves and shows: log, record, curves, sheets, report, loggers."""
