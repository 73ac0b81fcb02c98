"""Running clusters: mail to them, mail from them, their clocks, journals, snapshots and feeds. Redis is the meeting point."""
