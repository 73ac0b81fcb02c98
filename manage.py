#!/usr/bin/env python
"""Commands. ``up``, ``runsim``, ``historian`` and ``web`` start without Django's help, which costs them a second; the rest is Django's."""

import os
import sys


def main() -> int:
    """Run the command that is named first."""
    name, arguments = (sys.argv[1] if len(sys.argv) > 1 else "help"), sys.argv[2:]
    if name == "runsim":
        from explainer.runs.process import main as run
    elif name == "historian":
        from explainer.runs.historian import main as run
    elif name == "up":
        from explainer.runs.supervisor import main as run
    elif name == "web":
        from explainer.web import main as run
    else:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "explainer.settings")
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
        return 0
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
