"""What a browser does with the product: one file a figure, each with ``measure(room) -> list[Row]``. ``__main__`` finds them by itself."""
