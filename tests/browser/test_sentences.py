"""The world's sentences: recognised by their own patterns, put back with their names, in every catalogue, with Korean particles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import translation
from playwright.sync_api import Page, expect

from explainer.fragments import catalogs, particles, sentences
from tests.browser.conftest import Site

ROOT = Path(__file__).resolve().parents[2]
VALUES = {"ip": "10.96.0.1", "port": "80"}


def example(sentence: str) -> str:
    """An instance of a sentence."""
    values = {
        name: VALUES.get(name, "7" if name in sentences.NUMBERS else "x-7")
        for name in sentences.PLACE.findall(sentence)
    }
    return sentence % values


@pytest.mark.parametrize("sentence", sentences.SENTENCES)
def test_every_sentence_recognises_itself_and_no_other_comes_first(sentence: str) -> None:
    found = sentences.recognise(example(sentence))
    assert found is not None and found[0] == sentence


def test_translations_keep_every_place() -> None:
    catalogue = {e.msgid: e.msgstr for e in catalogs.whole(ROOT / "locale/ko/LC_MESSAGES/django.po")}
    for sentence in sentences.SENTENCES:
        assert set(sentences.PLACE.findall(sentence)) == set(sentences.PLACE.findall(catalogue[sentence])), sentence


def test_told_in_korean_and_left_alone_in_english() -> None:
    text = "leader m2 appended the request, forwarded by m3, as entry 675 of term 2"
    with translation.override("ko"):
        assert sentences.tell(text) == ("리더 m2가 m3이 넘겨준 요청을 임기 2의 항목 675로 덧붙였습니다", True)
        assert sentences.tell("Service default/web now has 1 endpoint in its slice.").known
        assert sentences.tell("Something nobody has written down") == ("Something nobody has written down", False)
    with translation.override("en"):
        assert sentences.tell(text) == (text, True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("m1이(가)", "m1이"),
        ("m2이(가)", "m2가"),
        ("리비전 7(으)로", "리비전 7로"),
        ("리비전 10(으)로", "리비전 10으로"),
        ("리더을(를)", "리더를"),
        ("web이(가)", "web이(가)"),
    ],
)
def test_particles(before: str, after: str) -> None:
    assert particles.settle(before) == after


def test_sentences_of_the_feed_are_told_in_the_language_of_the_page(open_page: Callable[..., Page], site: Site) -> None:
    page = open_page("/clusters/demo/", language="ko")
    site.wait_for_sockets()
    site.frame({"t": "effect", "kind": "image", "object": "pods/a", "cause": 7, "text": "node-2 pulled nginx"})
    expect(page.locator("[data-feed] li").first).to_contain_text("node-2가 nginx을(를) 내려받았습니다")
    site.frame({"t": "effect", "kind": "image", "object": "pods/a", "cause": 7, "text": "Nobody wrote this down"})
    expect(page.locator("[data-feed] [lang=en]").first).to_have_text("Nobody wrote this down")


def test_the_table_for_scripts_is_in_the_language_of_the_reader(open_page: Callable[..., Page], site: Site) -> None:
    page = open_page("/style/", language="ko")
    rows = json.loads(page.request.get(f"{site.url}/sentences.json").body())
    assert len(rows) == len(sentences.SENTENCES)
    assert all(re.search("[가-힣]|HTTP", told) for _expression, told in rows)
