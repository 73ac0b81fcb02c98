"""The control API: what scripts, classrooms and the pages themselves may ask of a cluster (``/api/``)."""
