"""Bringing the atlas to a scan: affine, deformable, warping and quality."""
