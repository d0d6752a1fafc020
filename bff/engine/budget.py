"""The budget of one answer: a maximum of requests, and of bytes of replies."""

from bff.errors import TooMany


class Budget:
    """Counts the requests and reply bytes of one answer, up to the maximum of the view.

    Args:
        requests: the maximum of requests.
        size: the maximum of bytes.
    """

    def __init__(self, requests: int, size: int) -> None:
        self._requests, self._size = requests, size
        self._sent = self._received = 0

    def send(self, requests: int) -> None:
        """Count requests that are about to be sent; refused ones are not counted.

        Raises:
            TooMany: the view allows fewer.
        """
        if not self.affords(requests):
            raise TooMany(f"the view allows {self._requests} calls")

    def affords(self, requests: int) -> bool:
        """Count requests if the budget allows them; returns whether it does."""
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
