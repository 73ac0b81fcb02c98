"""The packet-flow picture gives its room to what the packet passes, and nothing in it covers anything else."""

from typing import Any

import pytest

from explainer.fragments import hooks_drawing
from tests.cluster.netfilter.test_journey import told

FORWARDED = ("10.244.1.9", "10.96.118.42", 80)
FROM_THE_NODE = ("172.18.0.11", "10.96.118.42", 80)
TO_THE_NODE = ("10.244.1.9", "172.18.0.11", 10256)


def boxes(picture: dict[str, Any]) -> list[tuple[float, float, float, float]]:
    """(left, top, right, bottom) of stations, ends, and the connection's card."""
    width = picture["sizes"].cell
    found = [(c["x"], c["y"], c["x"] + width, c["y"] + c["tall"]) for hook in picture["hooks"] for c in hook["cells"]]
    for end in picture["directions"][0]["ends"]:
        if "more" not in end:
            left = picture["ends_box"]
            found.append((left, end["box_y"], left + picture["ends_w"], end["box_y"] + end["box_h"]))
    if "card" in picture:
        card = picture["card"]
        found.append((card["x"], card["y"], card["x"] + card["w"], card["y"] + card["h"]))
    return found


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("packet", [FORWARDED, FROM_THE_NODE, TO_THE_NODE])
def test_nothing_covers_anything(packet: tuple[str, str, int], big: bool) -> None:
    picture = hooks_drawing.picture(told(*packet), big)
    found = boxes(picture)
    for at, (left, top, right, bottom) in enumerate(found):
        assert bottom <= picture["height"] and right <= picture["width"]
        for other in found[:at]:
            assert left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom, (found[at], other)


def test_hooks_that_the_packet_does_not_pass_are_slim() -> None:
    slim, whole = hooks_drawing.picture(told(*FORWARDED)), hooks_drawing.picture(told(*FROM_THE_NODE))
    tall = {hook["name"]: hook["cells"][0]["tall"] for hook in slim["hooks"]}
    assert tall["INPUT"] == tall["OUTPUT"] < tall["FORWARD"]
    assert slim["height"] < whole["height"] - 80
    on_a_projector = {hook["name"]: hook["cells"] for hook in hooks_drawing.picture(told(*FORWARDED), True)["hooks"]}
    assert on_a_projector["OUTPUT"] == [] and on_a_projector["FORWARD"], "there is room for its name only"
