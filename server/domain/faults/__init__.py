"""Product faults, returns, complaints and incidents, surveys."""
