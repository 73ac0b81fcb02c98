"""kill -9 of each process during a stream of creates: what was acknowledged is there afterwards, exactly once."""

import http.client
import os
import signal
import threading
import time

import pytest

from tests.product import Product, wait_for


class Creator(threading.Thread):
    """Creates objects one after another; remembers which were acknowledged."""

    def __init__(self, product: Product) -> None:
        super().__init__(daemon=True)
        self.product = product
        self.acknowledged: list[str] = []
        self.going = True

    def run(self) -> None:
        connection, number = self.product.tls(10), 0
        while self.going:
            number += 1
            path = f"/objects/n{number}"
            try:
                connection.request("POST", path, b"x" * 100)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 201:
                    self.acknowledged.append(path)
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = self.product.tls(10)
                time.sleep(0.02)
        connection.close()


def listed(product: Product) -> list[str]:
    connection = product.tls(10)
    connection.request("GET", "/list")
    names = connection.getresponse().read().decode().split("\n")
    connection.close()
    return names


@pytest.mark.parametrize(("word", "shown"), [("runsim", "simulation"), ("redis-server", "Redis"), ("web", "web")])
def test_nothing_acknowledged_is_lost(own_product: Product, word: str, shown: str) -> None:
    product = own_product.start()
    creator = Creator(product)
    creator.start()
    for _ in range(2):
        before = len(creator.acknowledged)
        wait_for(lambda before=before: len(creator.acknowledged) > before + 30, "creates before the kill")
        os.kill(product.child(word).pid, signal.SIGKILL)
        after = len(creator.acknowledged)
        wait_for(lambda after=after: len(creator.acknowledged) > after + 30, "creates after the restart")
    creator.going = False
    creator.join(20)
    names = listed(product)
    assert set(creator.acknowledged) <= set(names)
    assert product.output().count(f"{shown} ended (killed by SIGKILL); starting it again.") == 2


def test_watch_goes_on_over_a_killed_simulation(own_product: Product) -> None:
    product = own_product.start()
    watch = product.tls(30)
    watch.request("GET", "/objects?watch=1")
    stream = watch.getresponse()
    post(product, "/objects/before")
    assert stream.readline() == b"/objects/before\n"
    os.kill(product.child("runsim").pid, signal.SIGKILL)
    post(product, "/objects/after")
    assert stream.readline() == b"/objects/after\n"
    watch.close()


def test_second_start_goes_on_where_the_first_stopped(own_product: Product) -> None:
    product = own_product.start()
    post(product, "/objects/kept")
    clock = product.api("GET", "/clock")["nowMicros"]
    product.stop()
    assert product.process is not None and product.process.returncode == 0
    product.start()
    assert "/objects/kept" in listed(product)
    assert product.api("GET", "/clock")["nowMicros"] >= clock


def test_children_die_with_their_supervisor(own_product: Product) -> None:
    product = own_product.start()
    children = [product.child(word) for word in ("runsim", "web", "redis-server")]
    assert product.process is not None
    os.kill(product.process.pid, signal.SIGKILL)
    product.process.wait(10)
    wait_for(
        lambda: not any(child.is_running() and child.status() != "zombie" for child in children), "children to die", 15
    )


def test_paused_requests_survive_at_the_door(own_product: Product) -> None:
    product = own_product.start()
    product.api("PATCH", "/clock", {"paused": True})
    connection = product.tls(30)
    connection.request("POST", "/objects/patient", b"x")
    wait_for(lambda: product.api("GET", "/clock")["waiting"] == 1, "the request at the door")
    product.api("POST", "/etcd/members/m1/stop")  # an act beyond the waiting one must not be done twice
    os.kill(product.child("runsim").pid, signal.SIGKILL)
    wait_for(lambda: product.api("GET", "/clock")["waiting"] == 1, "the request at the door again")
    assert product.api("GET", "/clock")["paused"] is True
    product.api("PATCH", "/clock", {"paused": False})
    assert connection.getresponse().status == 201
    connection.close()


def post(product: Product, path: str) -> None:
    connection = product.tls(30)
    connection.request("POST", path, b"x")
    assert connection.getresponse().status == 201
    connection.close()
