"""Views: one file a page. Each reads its read models, draws, and answers a whole document, or to htmx one fragment of it."""
