"""The typed bridge between blocking and async Python."""
