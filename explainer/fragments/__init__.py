"""From read models to drawings: pure functions that turn a snapshot into coordinates, words and lists for templates."""
