"""The doors real clients knock on: the Kubernetes API over TLS and etcd's JSON gateway, as raw ASGI in front of Django."""
