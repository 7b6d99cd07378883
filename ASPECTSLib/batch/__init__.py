"""Cohorts of scans, scored by several processes: each case by itself, and none lost or done twice."""
