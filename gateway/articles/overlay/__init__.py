"""What deltas have changed since the files: recalls, blocks, rows."""
