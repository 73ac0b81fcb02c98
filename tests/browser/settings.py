"""Settings that serve the pages alone, from fixtures: no Redis, no simulation. The policy on scripts and styles is the product's."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY = "only for tests of pages that hold nothing"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.staticfiles", "django_htmx", "explainer.pages"]
MIDDLEWARE = [
    "tests.browser.site.policy",
    "explainer.middleware.language",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "explainer.pages.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ko", "한국어")]
LOCALE_PATHS = [ROOT / "locale"]
USE_I18N = True
CLEARPLANE_READS = "tests.browser.fixture_world.query"
CLEARPLANE_SENDS = "tests.browser.objects_world.submit"
CLEARPLANE_CLUSTERS = "tests.browser.fixture_world.clusters"
CLEARPLANE_KNOWN = "tests.browser.fixture_world.known"
CLEARPLANE_COMPARE = "tests.browser.fixture_world.difference"
CLEARPLANE_LESSON = "tests.browser.fixture_world.lesson"
