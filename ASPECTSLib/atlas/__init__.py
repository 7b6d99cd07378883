"""The ASPECTS atlas: the table of regions, tissue probabilities, and the rule that draws the regions."""
