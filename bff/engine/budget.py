"""The budget of one answer: requests, and bytes of replies."""

from bff.errors import TooMany


class Budget:
    """Counts requests and bytes, and refuses more than the view allows."""

    def __init__(self, requests: int, size: int) -> None:
        self._requests, self._size = requests, size
        self._sent = self._received = 0

    def send(self, requests: int) -> None:
        """Count requests that are about to be sent; those that are refused cost nothing.

        Raises:
            TooMany: the view allows fewer.
        """
        if not self.affords(requests):
            raise TooMany(f"the view allows {self._requests} calls")

    def affords(self, requests: int) -> bool:
        """Whether so many more may be sent; they are then counted."""
        if self._sent + requests > self._requests:
            return False
        self._sent += requests
        return True

    def receive(self, size: int) -> None:
        """Count the bytes of a reply.

        Raises:
            TooMany: the view allows fewer.
        """
        self._received += size
        if self._received > self._size:
            raise TooMany("the replies are larger than the view allows")
