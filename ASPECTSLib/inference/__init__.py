"""Models that ship or that a site brings, and what they predict."""
