"""Network architectures: one per file, modules of torch only."""
