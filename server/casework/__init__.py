"""Who must act by when: open items and their due times. Knows no domain and no sync."""
