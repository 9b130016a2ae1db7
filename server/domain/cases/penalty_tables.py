"""How far penalties have followed their cases. What a penalty says stands in its record."""

from sqlalchemy import BigInteger, Integer, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base

Key = BigInteger().with_variant(Integer, "sqlite")


class PenaltyPlace(Base):
    """One row: the place in the feed up to which every changed case was held against them."""

    __tablename__ = "penalty_place"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    feed: Mapped[int] = mapped_column(Key)
