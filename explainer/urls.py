"""Addresses of the web door, in order: the product's own health, the control API, then the pages."""

from django.urls import include, path

from explainer.api import health, kubeconfig
from explainer.api.urls import urlpatterns as api

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("clusters/<str:cluster>/kubeconfig", kubeconfig.one),
    path("api/", include(api)),
    path("", include("explainer.pages.urls")),
]
