"""What every reviewed kind shares: the office's verdict, its states, the act of deciding."""
