"""A stage that runs ahead keeps order, hands on errors, and stops when it is no longer wanted."""

import threading
import time

import pytest

from hmd_removal.restore.video import ahead


def test_order_is_kept():
    with ahead(iter(range(100)), 3) as items:
        assert list(items) == list(range(100))


def test_it_works_in_another_thread_and_not_too_far_ahead():
    made = []

    def make():
        for n in range(50):
            made.append((n, threading.current_thread()))
            yield n

    with ahead(make(), 3) as items:
        assert next(items) == 0
        time.sleep(0.3)
        # three wait in the queue, one is held ready
        assert 4 <= len(made) <= 5 and made[0][1] is not threading.current_thread()


def test_errors_come_after_what_was_made_before_them():
    def make():
        yield 1
        raise KeyboardInterrupt("in the thread")

    with pytest.raises(KeyboardInterrupt, match="in the thread"), ahead(make(), 3) as items:
        assert next(items) == 1
        next(items)


def test_leaving_early_ends_the_thread():
    before = threading.active_count()
    with ahead(iter(int, 1), 2) as items:
        assert next(items) == 0
    assert threading.active_count() == before
