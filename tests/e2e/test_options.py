# SPDX-License-Identifier: MIT
"""No option without a test: what `railhead config --sample` lists is what the tests change."""
import test_commands_refused
import test_control
import test_options_bus
import test_options_commands
import test_options_point
import test_options_uart
import test_options_uplink
import test_store
import test_tls
from options import TESTED, option, sampled

# Bounds of the store take a full store to be seen; the tests of the store fill one.
option("store", "max_size")(test_store.test_the_cap_is_never_exceeded_and_the_newest_is_kept)
option("points", "drop")(test_store.test_the_cap_is_never_exceeded_and_the_newest_is_kept)
# The tests of the control socket move it.
option("gateway", "socket")(test_control.test_a_reload_moves_the_socket_and_takes_new_points)


def test_every_option_of_the_sample_is_tested_and_no_other():
    listed = sampled()
    assert len(listed) > 40
    assert listed - set(TESTED) == set(), "options without a test"
    assert set(TESTED) - listed == set(), "tests of options that are not in the sample"


def test_the_tests_that_are_named_exist():
    modules = (test_commands_refused, test_control, test_options_bus, test_options_commands, test_options_point,
               test_options_uart, test_options_uplink, test_store, test_tls)
    for names in TESTED.values():
        for name in names:
            assert any(hasattr(module, name) for module in modules), name
