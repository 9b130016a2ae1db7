"""What is proven: seals, acknowledgements. Knows no sync, media or domain."""
