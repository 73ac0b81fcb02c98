"""What the server can do, measured. One file a benchmark: ``bench/<name>.py`` with

- ``run() -> dict[str, float | str]``: figure → value, units in the figure's name;
- ``BARS: dict[str, str]``: figure → ``<= 4``, ``>= 350`` or ``== equal``; a figure without one is only told.

The folder is the registry: ``__main__`` finds every file that has ``run``. What benchmarks share is in ``room``; programs that they start
as processes of their own are ``load``, ``watchers``, ``world`` and ``digest``. What a browser does is measured by ``bench/browser``.
"""
