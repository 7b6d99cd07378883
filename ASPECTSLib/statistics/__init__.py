"""Statistics of studies on numpy and scipy: correlation, ROC curves, proportions, groups, and their intervals."""
