"""TCBs are compared component by component."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.snp.tcb import Tcb, decode

_SVN = st.integers(0, 255)
_TCBS = st.builds(Tcb, _SVN, _SVN, _SVN, _SVN)
_TURIN_TCBS = st.builds(Tcb, _SVN, _SVN, _SVN, _SVN, _SVN)


@pytest.mark.parametrize("component", range(5))
def test_a_tcb_is_at_least_another_only_if_each_component_is(component):
    floor = [5, 5, 5, 5, 5]
    lower = floor.copy()
    lower[component] = 4
    higher = floor.copy()
    higher[component] = 6
    assert Tcb(*floor).at_least(Tcb(*floor))
    assert Tcb(*higher).at_least(Tcb(*floor))
    assert not Tcb(*lower).at_least(Tcb(*floor))
    assert (component == 4) == Tcb(*lower[:4]).at_least(Tcb(*floor[:4]))


def test_tcbs_with_and_without_fmc_do_not_compare():
    assert not Tcb(9, 9, 9, 9, 9).at_least(Tcb(0, 0, 0, 0))
    assert not Tcb(9, 9, 9, 9).at_least(Tcb(0, 0, 0, 0, 0))


@given(_TCBS)
def test_a_tcb_round_trips(tcb):
    raw = bytes((tcb.bootloader, tcb.tee, 0, 0, 0, 0, tcb.snp, tcb.microcode))
    assert decode(raw, turin=False) == tcb


@given(_TURIN_TCBS)
def test_a_tcb_of_turin_round_trips(tcb):
    raw = bytes((tcb.fmc, tcb.bootloader, tcb.tee, tcb.snp, 0, 0, 0, tcb.microcode))
    assert decode(raw, turin=True) == tcb
