"""Complete systems, one for each method: from a scan that was read to a scored study."""
