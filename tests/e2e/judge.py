# SPDX-License-Identifier: MIT
"""What must be true of a record of messages: nothing twice, nothing out of order, nothing missing, nothing made up."""
from recorder import batches_of


def keys_of(messages):
    """(gw, epoch, seq) of every data batch, in the order of arrival."""
    return [(batch["gw"], batch["epoch"], batch["seq"]) for _message, batch in batches_of(messages)]


def assert_each_once_in_order(messages):
    """By (gw, epoch, seq): no gap, none twice, none out of order. Returns how many batches there were."""
    newest = {}
    keys = keys_of(messages)
    for position, (gateway, epoch, seq) in enumerate(keys):
        last = newest.get((gateway, epoch))
        if last is not None:
            around = [key[2] for key in keys[max(0, position - 4):position + 5]]
            assert seq > last, f"seq {seq} after {last} (twice or out of order), around: {around}"
            assert seq == last + 1, f"a gap: seq {seq} after {last}, around: {around}"
        newest[(gateway, epoch)] = seq
    assert keys, "no data at all"
    return len(keys)


def assert_at_least_once(messages):
    """By (gw, epoch, seq): no gap; repeats are the same bytes. Returns the number of repeats."""
    payloads, repeats = {}, 0
    for message, batch in batches_of(messages):
        key = (batch["gw"], batch["epoch"], batch["seq"])
        if key in payloads:
            assert payloads[key] == message.payload, f"{key} came again with another payload"
            repeats += 1
        payloads[key] = message.payload
    for gateway, epoch in {key[:2] for key in payloads}:
        seqs = sorted(key[2] for key in payloads if key[:2] == (gateway, epoch))
        assert seqs == list(range(seqs[0], seqs[-1] + 1)), f"a gap in {seqs[0]}..{seqs[-1]}"
    return repeats


def missing_of(expected, arrived):
    """Both are lists of values in their order. `arrived` must be `expected` with items left out, and nothing
    else; returns the positions left out."""
    missing, at = [], 0
    for position, value in enumerate(expected):
        if at < len(arrived) and arrived[at] == value:
            at += 1
        else:
            missing.append(position)
    assert at == len(arrived), (f"arrived, but not what the device said at that place: {arrived[at:at + 5]} "
                                f"(after {arrived[max(0, at - 5):at]}); {len(missing)} of {len(expected)} unmatched")
    return missing
