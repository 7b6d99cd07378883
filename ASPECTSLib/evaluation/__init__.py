"""A program's results beside those of readers: agreement, diagnostic accuracy, and the report of both."""
