"""What lesson 18 shares: the reader's own drives, boxes from label masks, and the splits of a video."""
