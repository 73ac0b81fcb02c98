"""Whole pages: a URL in, a drawn document out. Reads come from read models, never from the world itself."""
