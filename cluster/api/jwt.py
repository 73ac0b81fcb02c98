"""JSON Web Tokens signed with RS256: how a service account proves who it is.

``sign(claims, private_pem)`` → ``header.claims.signature``, three base64url texts; ``verify(token, public_pem)`` → the
claims, or ``JwtError``. PKCS #1 v1.5 has no random part: equal claims and key give an equal token on every machine.
Only the signature is judged here; issuer, audience and expiry are the authenticator's affair.

Upstream: kubernetes pkg/serviceaccount/jwt.go; RFC 7515, RFC 7518 section 3.3, RFC 7519.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate


class JwtError(ValueError):
    """Not a token, or not one signed by that key."""


def sign(claims: dict[str, Any], private_pem: bytes, kid: str = "") -> str:
    """The token that says ``claims``. ``kid`` names the key in the header; "" derives it as Kubernetes does."""
    key = _private(private_pem)
    header = {"alg": "RS256", "kid": kid or key_id(_public_pem(private_pem))}
    signed = f"{_encode(orjson.dumps(header))}.{_encode(orjson.dumps(claims, option=orjson.OPT_SORT_KEYS))}"
    return f"{signed}.{_encode(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def verify(token: str, public_pem: bytes) -> dict[str, Any]:
    """What the token says, if ``public_pem`` (a public key or a certificate) belongs to the key that signed it."""
    header = claims_of(token, part=0)
    if header.get("alg") != "RS256":
        raise JwtError(f"unexpected signature algorithm {header.get('alg')!r}")
    signed, _, signature = token.rpartition(".")
    try:
        _public(public_pem).verify(_decode(signature), signed.encode(), PKCS1v15(), SHA256())
    except InvalidSignature as error:
        raise JwtError("invalid signature") from error
    return claims_of(token)


def claims_of(token: str, part: int = 1) -> dict[str, Any]:
    """What the token says (``part`` 0: its header), without believing it."""
    parts = token.split(".")
    if len(parts) != 3:
        raise JwtError("a JWT has three parts separated by dots")
    try:
        value = orjson.loads(_decode(parts[part]))
    except (orjson.JSONDecodeError, UnicodeDecodeError) as error:
        raise JwtError("malformed JWT: a part isn't JSON") from error
    if not isinstance(value, dict):
        raise JwtError("malformed JWT: a part isn't a JSON object")
    return value


@lru_cache(maxsize=64)
def key_id(public_pem: bytes) -> str:
    """Kubernetes' ``kid``: base64url of the SHA-256 of the public key in DER (PKIX) form."""
    der = _public(public_pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _encode(sha256(der).digest())


@lru_cache(maxsize=64)
def _private(pem: bytes) -> RSAPrivateKey:
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise JwtError("not an RSA private key")
    return key


@lru_cache(maxsize=64)
def _public(pem: bytes) -> RSAPublicKey:
    if b"BEGIN CERTIFICATE" in pem:
        key = load_pem_x509_certificate(pem).public_key()
    else:
        key = load_pem_public_key(pem)
    if not isinstance(key, RSAPublicKey):
        raise JwtError("not an RSA public key")
    return key


@lru_cache(maxsize=64)
def _public_pem(private_pem: bytes) -> bytes:
    return _private(private_pem).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError) as error:
        raise JwtError("malformed JWT: a part isn't base64url") from error
