"""Where a receipt belongs. Pure."""

from server.sync.kinds import Author, Data, Placement


def r1_place(_receipt: Data, by: Author) -> Placement:
    """R1: a receipt belongs to its sender and to the sender's home region when it was made."""
    scopes = {f"user:{by.user}"}
    if by.home_region:
        scopes.add(f"region:{by.home_region}")
    return Placement(scopes=frozenset(scopes), region=by.home_region)
