"""Faults that are made for real, as a Markdown table of what was expected and what was seen."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

Fault = Callable[[], tuple[bool, str]]  # makes it: whether what was seen was expected, and what was seen


def table(faults: Mapping[str, tuple[Fault, str]], description: str | None) -> int:
    """The command line of a script: makes the faults that were asked for, prints a row each; 1 where one surprised."""
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
