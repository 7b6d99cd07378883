"""Atlases held against raters, and made from labelled scans."""
