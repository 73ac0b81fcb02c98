"""The pages' addresses. Everything here answers whole documents, or their fragments to htmx."""

from __future__ import annotations

from django.urls import path

from .views import clusters, compare, etcd, ha, home, lessons, map, network, objects, presenter, requests, style

urlpatterns = [
    path("", home.home, name="home"),
    path("prefs/", home.prefs, name="prefs"),
    path("style/", style.style, name="style"),
    path("sentences.json", home.sentences_table, name="sentences"),
    path("lessons/", lessons.lessons_page, name="lessons"),
    path("lessons/<str:slug>/", lessons.lesson_page, name="lesson"),
    path("clusters/<str:cluster>/lesson/", lessons.panel, name="panel"),
    path("clusters/", clusters.clusters_page, name="clusters"),
    path("clusters/<str:cluster>/compare/", compare.compare_page, name="moments"),
    path("clusters/<str:cluster>/", map.map_page, name="map"),
    path("clusters/<str:cluster>/requests/", requests.requests_page, name="requests"),
    path("clusters/<str:cluster>/requests/compare/", requests.compare, name="compare"),
    path("clusters/<str:cluster>/requests/<int:request_id>/", requests.request_page, name="request"),
    path("clusters/<str:cluster>/etcd/", etcd.etcd_page, name="etcd"),
    path("clusters/<str:cluster>/ha/", ha.ha_page, name="ha"),
    path("clusters/<str:cluster>/presenter/", presenter.presenter_page, name="presenter"),
    path("clusters/<str:cluster>/objects/", objects.kinds_page, name="kinds"),
    path("clusters/<str:cluster>/objects/-/create/", objects.create_page, name="create"),
    path("clusters/<str:cluster>/objects/<str:resource>/", objects.table_page, name="objects"),
    path(
        "clusters/<str:cluster>/objects/<str:resource>/<str:namespace>/<str:name>/", objects.object_page, name="object"
    ),
    path("clusters/<str:cluster>/network/", network.network_page, name="network"),
    path("clusters/<str:cluster>/network/cost", network.cost_curve, name="cost"),
]
