"""Makes faults for real, and prints a Markdown table of expected and seen outcomes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

Fault = Callable[[], tuple[bool, str]]  # makes the fault: (whether the outcome was expected, the outcome in words)


def table(faults: Mapping[str, tuple[Fault, str]], description: str | None) -> int:
    """The command line of a script: makes the chosen faults and prints a row for each. The exit status, 1 if one surprised."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(faults), nargs="+", default=list(faults))
    failed = False
    print("| Fault | Expected | Seen | |\n|---|---|---|---|")
    for name in parser.parse_args().only:
        make, expected = faults[name]
        good, seen = make()
        failed |= not good
        print(f"| {name} | {expected} | {seen} | {'as expected' if good else 'NOT as expected'} |", flush=True)
    return int(failed)
