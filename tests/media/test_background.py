import threading
import time

import pytest

from magicpose_cli.media.background import in_background


def test_calls_are_made_in_order_by_another_thread_and_all_are_done_at_the_end():
    done = []
    with in_background(ahead=2) as later:
        for number in range(5):
            later(lambda n: done.append((n, threading.current_thread())), number)
    assert [number for number, _ in done] == list(range(5))
    assert {thread for _, thread in done} != {threading.current_thread()}


def test_no_more_calls_wait_than_are_allowed():
    gate, done = threading.Event(), []

    def call(number):
        gate.wait(5)
        done.append(number)

    with in_background(ahead=2) as later:
        later(call, 0)
        later(call, 1)
        threading.Timer(0.1, gate.set).start()
        later(call, 2)  # waits for the first
        assert 0 in done


@pytest.mark.parametrize("after", [0, 3])
def test_a_call_that_fails_is_heard(after):
    def fail():
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), in_background(ahead=1) as later:
        later(fail)
        for _ in range(after):
            later(time.sleep, 0)


def test_the_callers_own_failure_drops_what_waits():
    done, gate = [], threading.Event()
    with pytest.raises(KeyboardInterrupt), in_background() as later:
        later(gate.wait, 5)
        later(done.append, 1)
        threading.Timer(0.1, gate.set).start()
        raise KeyboardInterrupt
    assert done == []
