"""Results: the dataclass and its JSON, tables and figures."""
