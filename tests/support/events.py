"""Events as Lambda's HTTP front ends send them, and what comes back."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

_ACCOUNT = "123456789012"
_REGION = "eu-central-1"
_SOURCE_IP = "192.0.2.1"
_AGENT = "overflow-tests/1.0"
_MILLISECONDS = 1_735_689_600_000
_TIME = "01/Jan/2025:00:00:00 +0000"
_TRACE = "Root=1-67748580-0123456789abcdef01234567"


def rest_api_v1(
    path: str,
    method: str = "GET",
    body: str | bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    stage: str = "prod",
) -> dict[str, Any]:
    """API Gateway REST API, proxy integration (payload 1.0)."""
    host = f"a1b2c3d4e5.execute-api.{_REGION}.amazonaws.com"
    sent = {
        "Accept": "*/*",
        "Host": host,
        "User-Agent": _AGENT,
        "X-Amzn-Trace-Id": _TRACE,
        "X-Forwarded-For": _SOURCE_IP,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **(headers or {}),
    }
    text, encoded = _body(body)
    proxy = path.lstrip("/")
    resource = "/{proxy+}" if proxy else "/"
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": (
            {name: [value] for name, value in query.items()} if query else None
        ),
        "pathParameters": {"proxy": proxy} if proxy else None,
        "stageVariables": None,
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": "a1b2c3d4e5",
            "domainName": host,
            "domainPrefix": "a1b2c3d4e5",
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "httpMethod": method,
            "identity": {
                "accessKey": None,
                "accountId": None,
                "caller": None,
                "sourceIp": _SOURCE_IP,
                "user": None,
                "userAgent": _AGENT,
                "userArn": None,
            },
            "path": f"/{stage}{path}",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTime": _TIME,
            "requestTimeEpoch": _MILLISECONDS,
            "resourceId": "abc123",
            "resourcePath": resource,
            "stage": stage,
        },
        "body": text,
        "isBase64Encoded": encoded,
    }


def http_api_v2(
    path: str,
    method: str = "GET",
    body: str | bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """API Gateway HTTP API (payload 2.0) with the default stage and route."""
    host = f"a1b2c3d4e5.execute-api.{_REGION}.amazonaws.com"
    return _payload_v2(path, method, body, host=host, headers=headers, query=query, cookies=cookies)


def function_url(
    path: str,
    method: str = "GET",
    body: str | bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A function URL without authentication (payload 2.0)."""
    host = f"abcdefghijklmnopqrstuvwxyz012345.lambda-url.{_REGION}.on.aws"
    event = _payload_v2(
        path, method, body, host=host, headers=headers, query=query, cookies=cookies
    )
    event["requestContext"]["accountId"] = "anonymous"
    return event


def load_balancer(
    path: str,
    method: str = "GET",
    body: str | bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    multi_value: bool = False,
) -> dict[str, Any]:
    """An Application Load Balancer's target group, which leaves query strings encoded."""
    sent = {
        "accept": "*/*",
        "host": f"overflow-1234567890.{_REGION}.elb.amazonaws.com",
        "user-agent": _AGENT,
        "x-amzn-trace-id": _TRACE,
        "x-forwarded-for": _SOURCE_IP,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
        **{name.lower(): value for name, value in (headers or {}).items()},
    }
    encoded_query = {quote(name): quote(value) for name, value in (query or {}).items()}
    arn = f"arn:aws:elasticloadbalancing:{_REGION}:{_ACCOUNT}:targetgroup/overflow/0123456789abcdef"
    text, encoded = _body(body)
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": arn}},
        "httpMethod": method,
        "path": path,
    }
    if multi_value:
        event["multiValueQueryStringParameters"] = {n: [v] for n, v in encoded_query.items()}
        event["multiValueHeaders"] = {name: [value] for name, value in sent.items()}
    else:
        event["queryStringParameters"] = encoded_query
        event["headers"] = sent
    # Unlike API Gateway it sends an empty string for no body.
    return {**event, "body": text or "", "isBase64Encoded": encoded}


def status_and_json(response: Any) -> tuple[int, Any]:
    """The status and the decoded JSON body of a response to any of these events.

    An empty body is None. Raises ValueError for what is not such a response.
    """
    status, text = status_and_text(response)
    if not text:
        return status, None
    try:
        return status, json.loads(text)
    except ValueError as error:
        raise ValueError(f"the body is not JSON (status {status}): {text[:2000]}") from error


def status_and_text(response: Any) -> tuple[int, str]:
    """The status and the decoded body of a response to any of these events."""
    if not isinstance(response, dict) or not isinstance(response.get("statusCode"), int):
        raise ValueError(f"not an HTTP response: {response!r}")  # noqa: TRY004 - a wrong value
    body = response.get("body") or ""
    if response.get("isBase64Encoded"):
        body = base64.b64decode(body, validate=True).decode()
    return response["statusCode"], body


def _payload_v2(
    path: str,
    method: str,
    body: str | bytes | None,
    *,
    host: str,
    headers: Mapping[str, str] | None,
    query: Mapping[str, str] | None,
    cookies: Mapping[str, str] | None,
) -> dict[str, Any]:
    # What was not sent is left out in this version, while 1.0 has it as null.
    text, encoded = _body(body)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "headers": {
            "accept": "*/*",
            "host": host,
            "user-agent": _AGENT,
            "x-amzn-trace-id": _TRACE,
            "x-forwarded-for": _SOURCE_IP,
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            **{name.lower(): value for name, value in (headers or {}).items()},
        },
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": host.partition(".")[0],
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": _SOURCE_IP,
                "userAgent": _AGENT,
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": _TIME,
            "timeEpoch": _MILLISECONDS,
        },
        "isBase64Encoded": encoded,
    }
    if query:
        event["queryStringParameters"] = dict(query)
    if cookies:
        event["cookies"] = [f"{name}={value}" for name, value in cookies.items()]
    if text is not None:
        event["body"] = text
    return event


def _body(body: str | bytes | None) -> tuple[str | None, bool]:
    """Bytes are sent as base64, text as it is."""
    if isinstance(body, bytes):
        return base64.b64encode(body).decode(), True
    return body, False
