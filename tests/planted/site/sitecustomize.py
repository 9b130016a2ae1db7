"""Plants the bug that ``PLANTED_BUG`` names in every Python process that a test starts."""

import os

if bug := os.environ.get("PLANTED_BUG"):
    from tests.planted.registry import BUGS

    PLANTED = BUGS[bug].plant()
    PLANTED.__enter__()
