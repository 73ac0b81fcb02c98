"""kubectl's verbs, one file each; a module here with ``NAMES`` is a verb."""
