"""The control API's addresses (contract.md, "Control API")."""

from django.urls import URLPattern, path

urlpatterns: list[URLPattern] = []
