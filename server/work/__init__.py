"""Work in the background. A task is only a wake-up: what is to be done stands in the tables."""
