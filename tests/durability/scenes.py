"""What a scene is: one act, what it acknowledged, and what must be found after the power is back.

The scenes themselves are in ``on_the_phone`` and ``in_the_office``.
"""

from abc import ABC, abstractmethod

from tests.durability.ground import Ground
from tests.simulation.disk import Machine


class Scene(ABC):
    """One act on one ground, which can be played again and again."""

    name: str

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        ground.reset()
        self.prepare()
        ground.close()
        self._beginning = ground.moment()

    @property
    @abstractmethod
    def victim(self) -> Machine:
        """Whose power goes, and whose disk fails."""

    def begin(self) -> None:
        """Everything stands as at the beginning, and nothing has been acknowledged."""
        self.ground.reset(self._beginning)
        self.forget()
        self.open()
        self.victim.calls = 0

    @abstractmethod
    def prepare(self) -> None:
        """Sees to what is there before the act, and on the disk."""

    @abstractmethod
    def forget(self) -> None:
        """Nothing has been acknowledged."""

    @abstractmethod
    def open(self) -> None:
        """The processes start on whatever the folders hold."""

    @abstractmethod
    def act(self) -> None:
        """The act; notes what is acknowledged when it is. Goes on where an earlier call stopped."""

    @abstractmethod
    def check(self) -> None:
        """Raises :class:`tests.durability.ground.Lost` where an acknowledgement was not true."""

    @abstractmethod
    def is_plain(self, error: Exception) -> bool:
        """Whether a person is told by ``error`` what happened."""

    def close(self) -> None:
        """The processes end."""
        self.ground.close()
