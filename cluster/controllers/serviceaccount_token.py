"""Tokens in Secrets: the older way for a service account to prove who it is.

In → Secrets of type ``kubernetes.io/service-account-token`` that name a ServiceAccount in their annotations; out → the same
with ``token`` (a JWT without expiry), ``ca.crt`` and ``namespace`` filled in. They go when their ServiceAccount goes.

With ``legacy_tokens`` it also does what Kubernetes did before 1.24: a Secret ``<name>-token-<5 random>`` for every
ServiceAccount, listed in its ``secrets``, so that ``kubectl get sa default -ojsonpath="{.secrets[0].name}"`` has an answer.

Simplified here: the controller always acts as ``system:kube-controller-manager`` (so does the real one: it must work
before there are tokens); no re-validation of tokens after the signing key changed.

Upstream: kubernetes pkg/controller/serviceaccount/tokens_controller.go, pkg/serviceaccount/legacy.go.
"""

from base64 import b64encode

from cluster.api import jwt
from cluster.clientgo import Doc, reason_of
from cluster.controllers.lib.meta import annotations_of, deleting, path
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox
from cluster.wire.http import HttpResponse

TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
ISSUER = "kubernetes/serviceaccount"


class TokensController(Controller):
    """Keys are ``sa:namespace/name`` and ``secret:namespace/name``."""

    name = "serviceaccount-token"
    user = "tokens-controller"
    root_client = True
    watches = ("serviceaccounts", "secrets")

    def on_serviceaccounts(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        meta = new["metadata"]
        if event_type == "DELETED":
            for secret in self._secrets_of(new):
                self.enqueue(out, f"secret:{meta['namespace']}/{secret['metadata']['name']}")
        elif event_type == "ADDED" or not new.get("secrets"):
            self.enqueue(out, f"sa:{meta['namespace']}/{meta['name']}")
            for secret in self._secrets_of(new) if event_type == "ADDED" else ():
                self.enqueue(out, f"secret:{meta['namespace']}/{secret['metadata']['name']}")

    def on_secrets(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if new.get("type") != TYPE:
            return
        meta = new["metadata"]
        if event_type == "DELETED":
            self.enqueue(out, f"sa:{meta['namespace']}/{annotations_of(new).get(ACCOUNT_NAME, '')}")
        else:
            self.enqueue(out, f"secret:{meta['namespace']}/{meta['name']}")

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        what, _, name = key.partition(":")
        if what == "secret":
            self._sync_secret(name, out)
        else:
            self._sync_account(name, out)

    def _secrets_of(self, account: Doc) -> list[Doc]:
        meta = account["metadata"]
        return [
            secret
            for secret in self.store("secrets").by("namespace", meta["namespace"])
            if secret.get("type") == TYPE and annotations_of(secret).get(ACCOUNT_NAME) == meta["name"]
            and annotations_of(secret).get(ACCOUNT_UID, meta["uid"]) == meta["uid"]
        ]  # fmt: skip

    # -- Secrets --------------------------------------------------------------------------------------------------

    def _sync_secret(self, key: str, out: Outbox) -> None:
        secret = self.store("secrets").get(key)
        if secret is None or deleting(secret):
            return
        meta, annotations = secret["metadata"], annotations_of(secret)
        account = self.store("serviceaccounts").find(meta["namespace"], annotations.get(ACCOUNT_NAME, ""))
        uid = annotations.get(ACCOUNT_UID)
        if account is None or (uid and uid != account["metadata"]["uid"]):
            if annotations.get(ACCOUNT_NAME):
                where = path("v1", "serviceaccounts", meta["namespace"], annotations[ACCOUNT_NAME])
                self.request(out, "GET", where, then="account_read", args=(key, uid or ""))
            return
        filled = self._filled(secret, account)
        if filled != secret:
            self.request(out, "PUT", path("v1", "secrets", meta["namespace"], meta["name"]), doc=filled)

    def account_read(self, response: HttpResponse, key: str, uid: str, now: int, out: Outbox) -> None:
        """The informer knew no such account; the server is asked before a token dies with it."""
        secret = self.store("secrets").get(key)
        gone = response.code == 404 or (response.code == 200 and uid and response.doc["metadata"]["uid"] != uid)
        if secret is not None and gone:
            meta = secret["metadata"]
            options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": meta["uid"]}}
            self.request(out, "DELETE", path("v1", "secrets", meta["namespace"], meta["name"]), doc=options)
        elif response.code not in (200, 404):
            self.failed()

    def _filled(self, secret: Doc, account: Doc) -> Doc:
        meta, data = secret["metadata"], secret.get("data") or {}
        annotations = {**annotations_of(secret), ACCOUNT_UID: account["metadata"]["uid"]}
        wanted = {"ca.crt": _base64(self.config.ca_pem), "namespace": _base64(meta["namespace"].encode())}
        if not data.get("token"):
            wanted["token"] = _base64(self._token(account, meta["name"]).encode())
        if annotations == annotations_of(secret) and all(data.get(k) == v for k, v in wanted.items()):
            return secret
        return {
            "kind": "Secret",
            "apiVersion": "v1",
            **secret,
            "metadata": {**meta, "annotations": annotations},
            "data": {**data, **wanted},
        }

    def _token(self, account: Doc, secret_name: str) -> str:
        meta = account["metadata"]
        claims = {
            "iss": ISSUER,
            "kubernetes.io/serviceaccount/namespace": meta["namespace"],
            "kubernetes.io/serviceaccount/secret.name": secret_name,
            "kubernetes.io/serviceaccount/service-account.name": meta["name"],
            "kubernetes.io/serviceaccount/service-account.uid": meta["uid"],
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        return jwt.sign(claims, self.config.sa_private_pem)

    # -- ServiceAccounts, before 1.24 -----------------------------------------------------------------------------

    def _sync_account(self, key: str, out: Outbox) -> None:
        account = self.store("serviceaccounts").get(key)
        if not self.config.legacy_tokens or account is None or deleting(account):
            return
        known = {secret["metadata"]["name"] for secret in self._secrets_of(account)}
        listed = [entry.get("name", "") for entry in account.get("secrets") or ()]
        if any(name in known for name in listed):
            return
        if known:  # made by an earlier run whose second half failed
            self._list_secret(account, min(known), out)
            return
        meta = account["metadata"]
        name = f"{meta['name']}-token-{out.dice.suffix()}"
        doc = {
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "annotations": {ACCOUNT_NAME: meta["name"], ACCOUNT_UID: meta["uid"]},
            },
            "type": TYPE,
            "data": {
                "ca.crt": _base64(self.config.ca_pem),
                "namespace": _base64(meta["namespace"].encode()),
                "token": _base64(self._token(account, name).encode()),
            },
        }
        self.request(out, "POST", path("v1", "secrets", meta["namespace"]), doc=doc, then="secret_created",
                     args=(account, name))  # fmt: skip

    def secret_created(self, response: HttpResponse, account: Doc, name: str, now: int, out: Outbox) -> None:
        """The Secret exists; now the account must name it."""
        if response.code == 201:
            self._list_secret(account, name, out)
        elif response.code != 404 and reason_of(response) != "Forbidden":
            self.failed()

    def _list_secret(self, account: Doc, name: str, out: Outbox) -> None:
        meta = account["metadata"]
        doc = {"kind": "ServiceAccount", "apiVersion": "v1", **account,
               "secrets": [*(account.get("secrets") or ()), {"name": name}]}  # fmt: skip
        self.request(out, "PUT", path("v1", "serviceaccounts", meta["namespace"], meta["name"]), doc=doc)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
