"""The feed over a websocket: one Redis reader per process and cluster, local fan-out of one encoded frame."""
