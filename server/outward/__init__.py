"""What the outside hears: events for other systems and notices by e-mail. Knows no kind by name."""
