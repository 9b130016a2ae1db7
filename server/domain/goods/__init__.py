"""Master data of the company: what it makes, in which batches, and where it shipped them."""
