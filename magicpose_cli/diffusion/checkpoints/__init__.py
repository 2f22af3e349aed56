"""Released checkpoints to our folders and back: names, shapes, conversion, export."""
