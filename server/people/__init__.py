"""Who acts: users, roles in regions, devices, sessions. Knows no Flask, sync or domain."""
