"""Django's settings. No database: a session is a signed cookie, everything else is in Redis or derived from it."""

import contextlib
import logging
import os
import secrets
from pathlib import Path

from explainer import config

BASE_DIR = config.ROOT
CONFIG = config.read()


def _secret(path: Path) -> str:
    """The signing key, made at first start and kept beside the data, readable by its owner only.

    Several web processes may start at once on one folder: the first to link its key there wins, all read that one.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)
        mine.unlink()
    return path.read_text().strip()


SECRET_KEY = os.environ.get("CLEARPLANE_SECRET_KEY") or _secret(CONFIG.data / "secret")
DEBUG = os.environ.get("CLEARPLANE_DEBUG") == "1"
LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = [*LOOPBACK_HOSTS, *filter(None, os.environ.get("CLEARPLANE_ALLOWED_HOSTS", "").split(","))]
if CONFIG.host not in ("0.0.0.0", "::", *ALLOWED_HOSTS):
    ALLOWED_HOSTS.append(CONFIG.host)

INSTALLED_APPS = [
    "channels",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "explainer.fragments",
    "explainer.pages",
    "explainer",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "explainer.middleware.policy",
    "explainer.middleware.compress",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "explainer.middleware.language",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "explainer.urls"
ASGI_APPLICATION = "explainer.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.template.context_processors.csrf",
            ],
        },
    }
]
DATABASES: dict[str, dict[str, str]] = {}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_COOKIE_NAME = "clearplane_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "clearplane_csrf"
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_HEADER_NAME = "HTTP_X_CSRFTOKEN"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ko", "한국어")]
LANGUAGE_COOKIE_NAME = "clearplane_language"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"] if (BASE_DIR / "static").exists() else []
STATIC_ROOT = CONFIG.data / "static"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024


def _has_traceback(record: logging.LogRecord) -> bool:
    """An answer with a status of its own says enough; only a crash is worth a line."""
    return bool(record.exc_info)


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"crashes": {"()": "django.utils.log.CallbackFilter", "callback": _has_traceback}},
    "formatters": {"line": {"format": "%(asctime)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"clearplane": {"level": "INFO"}, "django.request": {"level": "ERROR", "filters": ["crashes"]}},
}
