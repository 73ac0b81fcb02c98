"""The pages' addresses. Everything here answers whole documents, or their fragments to htmx."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("prefs/", views.prefs, name="prefs"),
    path("style/", views.style, name="style"),
    path("sentences.json", views.sentences_table, name="sentences"),
    path("clusters/<str:cluster>/", views.map_page, name="map"),
    path("clusters/<str:cluster>/requests/", views.requests_page, name="requests"),
    path("clusters/<str:cluster>/requests/<int:request_id>/", views.request_page, name="request"),
    path("clusters/<str:cluster>/etcd/", views.etcd_page, name="etcd"),
    path("clusters/<str:cluster>/network/", views.network_page, name="network"),
]
