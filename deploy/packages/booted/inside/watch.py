"""What the card and the guard did while something happened: sampled beside it, judged afterwards."""

import threading
import time

from node import ORIGINAL, Unexpected, card, ready

# Between two samples; a look at the card takes some milliseconds, at the guard as long as its answer.
PAUSE = 0.1
# Longer counts as no answer.
PATIENCE = 0.5


class Watch:
    """Samples card and guard until the block ends. Times are seconds since its begin."""

    def __init__(self):
        self.cards: list[tuple[float, dict]] = []
        self.answers: list[tuple[float, bool]] = []
        self._over = threading.Event()
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._look, args=look) for look in (
            (self.cards, card), (self.answers, lambda: ready(PATIENCE)))]

    def now(self) -> float:
        return time.monotonic() - self._began

    def _look(self, samples, look):
        while not self._over.is_set():
            at = self.now()
            try:
                samples.append((at, look()))
            except (Unexpected, OSError, ValueError):
                # The package may just be exchanged; a gap in the samples says no less.
                pass
            time.sleep(PAUSE)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def peak_die(self) -> float:
        return max(seen["die"] for _, seen in self.cards)

    def highest_limit(self) -> float:
        return max(seen["limit_watts"] for _, seen in self.cards)

    def raised_over(self, watts: float) -> bool:
        """Higher than that at any moment; a watt for what drivers round."""
        return self.highest_limit() > watts + 1

    def given_back(self) -> bool:
        return self.highest_limit() > ORIGINAL - 1

    def unguarded(self) -> float:
        """From the first moment without an answer to the last: seconds without a ready guard."""
        without = [at for at, answered in self.answers if not answered]
        if not without:
            return 0.0
        after = [at for at, answered in self.answers if answered and at > without[-1]]
        return (after[0] if after else self.now()) - without[0]

    def back_at(self) -> float | None:
        """When the guard was ready again after it had not been."""
        without = [at for at, answered in self.answers if not answered]
        after = [at for at, answered in self.answers if without and answered and at > without[-1]]
        return after[0] if after else None
