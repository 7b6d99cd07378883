"""What happens to a scan before registration: units, pose, brain mask, intensities."""
