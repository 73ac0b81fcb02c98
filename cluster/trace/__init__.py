"""Traces: what happened, told as notes that are born at the seams, and the recorder that files them by request."""
