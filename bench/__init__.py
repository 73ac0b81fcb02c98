"""The figures of the issues, measured on the real product. Never part of the tests: a busy machine must not fail them."""
