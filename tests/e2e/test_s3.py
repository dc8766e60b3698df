# SPDX-License-Identifier: MIT
"""The stand-in S3 store refuses what a real one refuses: tests that pass with it mean something."""

import datetime
import hashlib
import os
import urllib.error
import urllib.request

import pytest

import s3

BIG = os.urandom(s3.PART_MIN)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = s3.S3(tmp_path_factory.mktemp("s3")).start()
    yield store
    store.stop()


def send(method, url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def put(store, key, upload, number, body):
    url = store.presign("PUT", "b", key, {"uploadId": upload, "partNumber": number})
    return send("PUT", url, body)[1].get("ETag")


def complete(store, key, upload, parts):
    listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts)
    url = store.presign("POST", "b", key, {"uploadId": upload})
    return send("POST", url, f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode())


def test_parts_become_an_object(store):
    upload = store.initiate("b", "one")
    parts = [(2, put(store, "one", upload, 2, b"end")), (1, put(store, "one", upload, 1, BIG))]
    assert parts[0][1] == '"%s"' % hashlib.md5(b"end").hexdigest()
    assert complete(store, "one", upload, parts)[0] == 400
    status, _, answer = complete(store, "one", upload, sorted(parts))
    assert status == 200 and b'-2"</ETag>' in answer
    assert store.object("b", "one").read_bytes() == BIG + b"end"
    status, headers, body = send("GET", store.presign("GET", "b", "one"), headers={"Range": f"bytes={len(BIG)}-"})
    assert (status, body) == (206, b"end") and headers["Content-Range"].startswith(f"bytes {len(BIG)}-")


@pytest.mark.parametrize("parts, code", [
    ([(1, "small"), (2, "small")], b"EntityTooSmall"), ([(1, "wrong")], b"InvalidPart"), ([(3, "small")], b"InvalidPart"),
    ([], b"MalformedXML")])
def test_a_list_that_is_wrong_is_refused(store, parts, code):
    upload = store.initiate("b", "two")
    etags = {"small": put(store, "two", upload, 1, b"small"), "wrong": '"00"'}
    put(store, "two", upload, 2, b"small")
    status, _, answer = complete(store, "two", upload, [(number, etags[word]) for number, word in parts])
    assert status == 400 and code in answer


def test_urls_are_checked_and_expire(store):
    url = store.presign("PUT", "b", "three")
    assert send("PUT", url, b"x")[0] == 200
    for wrong in url.replace("/three", "/four"), url[:-1] + ("0" if url[-1] != "0" else "1"), url.partition("?")[0]:
        assert send("PUT", wrong, b"x")[0] == 403
    assert send("GET", url)[0] == 403
    old = store.presign("PUT", "b", "three", expires=60, now=datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1))
    status, _, answer = send("PUT", old, b"x")
    assert status == 403 and b"Request has expired" in answer


def test_faults_come_when_asked_for_and_once(store):
    url = store.presign("PUT", "b", "five")
    for how, seen in ("500", 500), ("no-etag", 200):
        store.fail("PUT", how)
        status, headers, _ = send("PUT", url, b"x")
        assert status == seen and "ETag" not in headers
    store.fail("PUT", "reset")
    with pytest.raises(OSError):
        send("PUT", url, b"x")
    assert send("PUT", url, b"x")[0] == 200
