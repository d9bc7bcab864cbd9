"""Where the views are."""

from django.urls import path

from . import views

urlpatterns = [
    path("sync/", views.sync_view),
    path("async/", views.async_view),
    path("sell/<str:name>/", views.sell),
    path("stock/<str:name>/", views.stock),
    path("queries/", views.queries),
    path("stream/", views.stream),
]
