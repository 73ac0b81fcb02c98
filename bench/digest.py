"""One minute of a cluster with inputs at fixed instants; prints the digest of all its events."""

import sys

from cluster.lab import ClusterSpec, HttpIn, Lab, MemberOp, Pki
from cluster.wire.http import TlsPeer
from explainer.runs import mail

ADMIN = TlsPeer(common_name="kubernetes-admin", organizations=("kubeadm:cluster-admins",))
BODY = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c%d"},"data":{"k":"v"}}'


def main(pki_file: str) -> None:
    """``pki_file``: msgpack of the PEMs (the same for both runs)."""
    with open(pki_file, "rb") as file:
        pki = Pki(**mail.decode_any(file.read()))
    lab = Lab.start(ClusterSpec(name="demo", epoch=1_795_000_000, pki=pki, seed=42))
    lab.run_until(30_000_000_000)
    for number in range(40):
        if number == 20:
            lab.submit(MemberOp("m1", "stop"))
        lab.submit(
            HttpIn("w/1", number, "POST", "/api/v1/namespaces/default/configmaps", "",
                   (("content-type", "application/json"),), BODY % number, ADMIN, "127.0.0.1:1")
        )  # fmt: skip
        lab.run_until(lab.now + 500_000_000)
        lab.drain()
    lab.run_until(60_000_000_000)
    print(lab.digest())


if __name__ == "__main__":
    main(sys.argv[1])
