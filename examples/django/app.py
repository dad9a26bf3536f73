"""A Django application whose page sends files into a Caseload case with the stock Uppy plugin.

The browser talks to this application only; it forwards what the plugin asks to Caseload with an API token, and the signed
addresses in the answers lead the browser straight to the store. See README.md beside this file.

    CASELOAD_URL=https://caseload.example CASELOAD_TOKEN=cl_… python3 app.py runserver
"""

import json
import os
import re
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request
from functools import wraps
from pathlib import Path

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse, HttpResponseForbidden
from django.shortcuts import render
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from django.views.static import serve

HERE = Path(__file__).resolve().parent
CASELOAD_URL = os.environ["CASELOAD_URL"].rstrip("/")
CASELOAD_TOKEN = os.environ["CASELOAD_TOKEN"]  # of a user with the role member: never give it to the browser

settings.configure(
    DEBUG=os.environ.get("DEBUG") == "1",
    SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32),
    ALLOWED_HOSTS=os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost").split(","),
    ROOT_URLCONF=__name__,
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [HERE / "templates"]}],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
)


def may_send(request, case):
    """Tells whether the person may send to this case. Ask your own users and patients here; the example asks nobody."""
    return True


def ask(method, address, body=None):
    """Asks Caseload and returns the status and the JSON text it answers; 502 when it cannot be reached."""
    request = urllib.request.Request(CASELOAD_URL + address, data=body, method=method)
    request.add_header("Authorization", "Bearer " + CASELOAD_TOKEN)
    if body is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
    except OSError:
        return 502, b'{"message":"Caseload cannot be reached. Try again in a moment."}'


def from_own_pages(view):
    """Refuses requests of other sites. The plugin cannot send Django's CSRF token; browsers say where a request comes from."""

    @wraps(view)
    def checked(request, *args, **kwargs):
        origin = request.headers.get("Origin")
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin" or (
            origin and urllib.parse.urlsplit(origin).netloc != request.get_host()
        ):
            return HttpResponseForbidden("The request came from another site.")
        return view(request, *args, **kwargs)

    return checked


@csrf_exempt
@from_own_pages
@require_http_methods(["GET", "POST", "DELETE"])
def companion(request, case, rest):
    """Forwards what the plugin asks for the case, and nothing else: the same method, path, query and body, with the token."""
    if not re.fullmatch(r"s3/[a-z0-9/]+", rest):  # a ".." would lead the token to other addresses
        return HttpResponse(status=404)
    if not may_send(request, case):
        return HttpResponse('{"message":"You may not send files to this case."}', status=403, content_type="application/json")
    address = f"/companion/cases/{case}/{rest}"
    if request.META.get("QUERY_STRING"):
        address += "?" + request.META["QUERY_STRING"]
    status, body = ask(request.method, address, request.body if request.method == "POST" else None)
    return HttpResponse(body, status=status, content_type="application/json")


@require_http_methods(["GET"])
def show_case(request, case):
    """Shows the case's files, as Caseload's API tells them, and Uppy's Dashboard."""
    if not may_send(request, case):
        return HttpResponseForbidden("You may not see this case.")
    status, body = ask("GET", f"/api/v1/cases/{case}/files")
    files = json.loads(body)["files"] if status == 200 else []
    return render(request, "case.html", {"case": case, "files": files, "found": status == 200}, status=200 if status == 200 else 404)


urlpatterns = [
    path("cases/<slug:case>/", show_case),
    path("uploads/<slug:case>/<path:rest>", companion),
    # uppy.js and uppy.css, built as README.md says; a real project lets its web server do this
    path("static/<path:path>", serve, {"document_root": os.environ.get("STATIC_FOLDER", HERE / "static")}),
]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
