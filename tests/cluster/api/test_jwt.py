"""Tokens: what is signed is verified, what was touched is not."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cluster.api import jwt


@pytest.fixture(scope="module")
def keys() -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_what_was_signed_is_verified_and_signing_has_no_chance_in_it(keys: tuple[bytes, bytes]) -> None:
    private, public = keys
    claims = {"sub": "system:serviceaccount:default:default", "aud": ["a", "b"]}
    token = jwt.sign(claims, private)
    assert jwt.verify(token, public) == claims
    assert token == jwt.sign(dict(reversed(claims.items())), private)
    assert jwt.claims_of(token, part=0) == {"alg": "RS256", "kid": jwt.key_id(public)}


def test_touched_foreign_or_malformed_tokens_are_refused(keys: tuple[bytes, bytes]) -> None:
    private, public = keys
    head, body, signature = jwt.sign({"sub": "a"}, private).split(".")
    other = jwt.sign({"sub": "b"}, private).split(".")[1]
    for token in (
        f"{head}.{other}.{signature}",
        f"{head}.{body}.AAAA",
        f"{head}.{body}",
        "a.b.c",
        "",
        "é.é.é",
        f".{body}.{signature}",
    ):
        with pytest.raises(jwt.JwtError):
            jwt.verify(token, public)
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = foreign.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(jwt.JwtError, match="invalid signature"):
        jwt.verify(jwt.sign({"sub": "a"}, pem), public)
