"""From regions and voxels to calls and the score; numpy only."""
