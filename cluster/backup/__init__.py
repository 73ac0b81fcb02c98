"""etcd's backups as files: what is in a snapshot, and the data directory that ``etcdutl snapshot restore`` makes of it.

Below etcd and the shell, which both need it: ``bbolt`` reads the file, ``snapshot`` judges it, ``restore`` turns it into the beginning of a new cluster.
Pure functions on bytes; nothing here knows a running member.
"""
