"""The peers of `make bench-read` that are written in Python. Each prints what it measured as one line of JSON.

  plain.py headers FILE...             reads every header with pydicom, pixels left out, and prints the seconds
  plain.py pipeline URL TOKEN          what a web application does without Caseload: downloads the object, unzips it,
                                       reads each file with pydicom, inserts a row each into SQLite
"""
import io
import json
import os
import sqlite3
import sys
import tempfile
import time
import urllib.request
import zipfile

import pydicom

TAGS = ("PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality",
        "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")


def facts(source):
    header = pydicom.dcmread(source, stop_before_pixels=True)
    return [str(header.get(tag, "")) for tag in TAGS]


def headers(paths):
    begun = time.perf_counter()
    for path in paths:
        facts(path)
    return {"seconds": time.perf_counter() - begun, "files": len(paths)}


def pipeline(url, token):
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        whole = os.path.join(folder, "object")
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
        with urllib.request.urlopen(request) as answer, open(whole, "wb") as out:
            while block := answer.read(1 << 20):
                out.write(block)
        rows = []
        if zipfile.is_zipfile(whole):
            with zipfile.ZipFile(whole) as z:
                for entry in z.infolist():
                    if not entry.is_dir():
                        rows.append(facts(io.BytesIO(z.read(entry))))
        else:
            rows.append(facts(whole))
        db = sqlite3.connect(os.path.join(folder, "db"))
        db.execute("CREATE TABLE instances (%s)" % ", ".join(TAGS))
        db.executemany("INSERT INTO instances VALUES (%s)" % ", ".join("?" * len(TAGS)), rows)
        db.commit()
        db.close()
    return {"seconds": time.perf_counter() - begun, "files": len(rows)}


if __name__ == "__main__":
    if sys.argv[1] == "headers":
        print(json.dumps(headers(sys.argv[2:])))
    else:
        print(json.dumps(pipeline(sys.argv[2], sys.argv[3])))
