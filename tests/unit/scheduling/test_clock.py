"""The real clock: limits stand still while the machine is suspended, what others made ages."""

from ccgpu.scheduling.clock import RealClock


def test_only_the_wall_goes_on_while_the_machine_is_suspended():
    running, always = [5.0], [100.0]
    clock = RealClock(lambda: running[0], lambda: always[0])
    began = clock.now()
    assert clock.wall() == began
    running[0] += 2.0
    always[0] += 2.0 + 3600.0
    assert round(clock.now() - began, 3) == 2.0
    assert round(clock.wall() - began, 3) == 3602.0


def test_both_are_the_same_time_of_a_machine_that_runs():
    clock = RealClock()
    assert abs(clock.wall() - clock.now()) < 1.0
