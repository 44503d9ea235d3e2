"""The command line: parse, call the workflow, show. Results on stdout, progress on stderr."""

from metalliance.cli.door import app, run

__all__ = ["app", "run"]
