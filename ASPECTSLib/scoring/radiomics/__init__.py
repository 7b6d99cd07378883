"""Features of regions by the definitions of the Image Biomarker Standardisation Initiative, in numpy."""
