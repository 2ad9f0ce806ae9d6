"""The search for cycles, held off."""

import gc

import pytest

from tinygrad_lstm.engine.collector import uncollected


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled):
    try:
        (gc.enable if enabled else gc.disable)()
        with uncollected(), uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
        with pytest.raises(KeyError), uncollected():
            raise KeyError
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
