"""HTML for reviewers. Reads through queries, writes through actions; no SQL and no JSON surface."""
