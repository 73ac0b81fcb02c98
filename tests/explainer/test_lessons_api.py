"""A lesson on the running product: begun on a fresh cluster, answered, done, begun again; who asks meanwhile takes nothing back; etcd's no is heard."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.product import Product, wait_for


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with the real world: a lesson asks it."""
    running = Product(tmp_path_factory.mktemp("lessons"), DJANGO_SETTINGS_MODULE="explainer.settings")
    try:
        yield running.start()
    finally:
        running.stop()


def begun(product: Product, slug: str) -> str:
    status, told = product.call("POST", f"/api/lessons/{slug}/start", {}, timeout=90)
    assert status == 201, told
    assert told["href"].startswith(f"/clusters/{told['cluster']}/")
    return told["cluster"]


def said(product: Product, cluster: str, body: Any = None, least: int = 200) -> Any:
    method = "GET" if body is None else "POST"
    status, told = product.call(method, f"/api/clusters/{cluster}/lesson", body, timeout=90)
    assert status == least, told
    return told


def test_begun_answered_done_and_begun_again(real: Product) -> None:
    cluster = begun(real, "two-of-three")
    told = said(real, cluster)
    assert (told["step"], told["done"], told["answers"], told["trouble"]) == (0, [], {}, "")
    told = said(real, cluster, {"op": "answer", "choice": 1})
    assert (told["answers"], told["done"], told["holds"]) == ({"0": 1}, [0], True)
    assert said(real, cluster, {"op": "go", "step": 99}, 422)["error"] == "This lesson has 5 steps."
    told = said(real, cluster, {"op": "go", "step": 4})
    assert (told["holds"], told["early"], told["done"]) == (False, True, [0]), (
        "all hosts run, as they did before: nobody did that"
    )
    told = said(real, cluster, {"op": "go", "step": 1})
    assert (told["step"], told["holds"], told["early"]) == (1, False, False)
    said(real, cluster, {"op": "act", "act": 0})
    wait_for(lambda: 1 in said(real, cluster)["done"], "the step's end")
    status, again = real.call("POST", f"/api/clusters/{cluster}/lesson", {"op": "reset"}, timeout=90)
    assert status == 201 and again["cluster"] != cluster
    told = said(real, again["cluster"])
    assert (told["step"], told["done"], told["answers"], told["holds"]) == (1, [0], {"0": 1}, False)
    assert said(real, cluster)["done"] == [0, 1], "the cluster that it was begun in stays"
    status, page = real.call("GET", "/lessons/two-of-three/?lang=ko")
    assert status == 200 and f"/clusters/{cluster}/" in page and f"/clusters/{again['cluster']}/" in page


def test_who_asks_meanwhile_takes_no_answer_back(real: Product) -> None:
    cluster = begun(real, "two-of-three")
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            real.call("GET", f"/api/clusters/{cluster}/lesson", timeout=90)

    others = [threading.Thread(target=ask) for _ in range(4)]
    for one in others:
        one.start()
    try:
        for step, choice in itertools.product((0, 1, 2, 0), (0, 1)):
            told = said(real, cluster, {"op": "go", "step": step})
            assert told["step"] == step
            if step == 0:
                said(real, cluster, {"op": "answer", "choice": choice})
            told = said(real, cluster)
            assert told["step"] == step and told["done"][:1] == [0]
            assert told["answers"]["0"] == (choice if step == 0 else 1)
    finally:
        over.set()
        for one in others:
            one.join()


def test_an_act_on_somebody_who_is_not_there_is_refused(real: Product) -> None:
    cluster = begun(real, "failed-yet-written")
    said(real, cluster, {"op": "go", "step": 2})
    assert "There is no stopped member now" in said(real, cluster, {"op": "act", "act": 0}, 409)["error"]


def test_a_change_of_members_that_etcd_refuses_is_refused(real: Product) -> None:
    cluster = begun(real, "replace-member")
    acts = {"op": "act", "act": 0}
    step = next(n for n in range(9) if removes(n))
    said(real, cluster, {"op": "go", "step": step})
    address = f"/api/clusters/{cluster}/lesson"
    # etcd itself says no until its members have known one another for five seconds.
    wait_for(lambda: real.call("POST", address, acts, timeout=90)[0] == 200, "etcd to agree")

    def refused() -> bool:
        """(A leader that has just been removed leaves in the middle of the question.)"""
        status, told = real.call("POST", address, acts, timeout=90)
        assert status == 409
        return "member not found" in told["error"]

    wait_for(refused, "etcd to say why")


def removes(step: int) -> bool:
    from explainer import lessons

    acts = lessons.lessons()["replace-member"].steps[step].act
    return any(item["type"] == "MemberRemoveIn" for act in acts for item in act.items)
