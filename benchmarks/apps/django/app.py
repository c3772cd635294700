"""A WSGI site in one file; what start-up imports is named by strings in its settings."""

import io

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path
from lxml import etree
from PIL import Image

settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a benchmark",
)


def index(request):
    return JsonResponse({"ok": True})


def picture(request):
    written = io.BytesIO()
    Image.new("RGB", (8, 8)).save(written, "PNG")
    return HttpResponse(written.getvalue(), content_type="image/png")


def token(request):
    page = etree.fromstring("<token/>")
    page.text = Fernet(Fernet.generate_key()).encrypt(b"benchmark").decode()
    return HttpResponse(etree.tostring(page), content_type="application/xml")


urlpatterns = [path("", index), path("picture", picture), path("token", token)]
application = get_wsgi_application()
