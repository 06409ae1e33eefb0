"""Runs validators that others wrote over exports, and says what they found.

check.py SCHEMA KEY < lines of FORM<tab>FILE      SCHEMA: the receipt's JSON Schema; KEY: the station's key
Prints one JSON object for each line: the form, the file, how many entries, and the problems.
"""
import base64
import csv
import hashlib
import io
import json
import pathlib
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)

from fhir.resources.R4B.bundle import Bundle
from jsonschema import Draft202012Validator
from nacl.signing import VerifyKey
from ocsf_json_schema import OcsfJsonSchema, OcsfJsonSchemaEmbedded, get_ocsf_schema
from py_ocsf_models.events.base_event import BaseEvent
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from pymerkle import InmemoryTree
from syslog_rfc5424_parser import SyslogMessage

RECEIPT = json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8"))
KEY = sys.argv[2]
OCSF = OcsfJsonSchemaEmbedded(OcsfJsonSchema(get_ocsf_schema(version="1.6.0")))


def first(error):
    return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def lines(file):
    return [line for line in file.read_bytes().split(b"\n") if line]


def jsonl(file):
    Draft202012Validator.check_schema(RECEIPT)
    schema = Draft202012Validator(RECEIPT)
    for number, line in enumerate(lines(file)):
        yield number, [f"jsonschema: {error.message}" for error in schema.iter_errors(json.loads(line))]


def table(file):
    text = file.read_bytes().decode("utf-8")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    for number, row in enumerate(rows[1:]):
        problems = []
        if len(row) != len(rows[0]):
            problems.append(f"csv: {len(row)} cells under {len(rows[0])} columns")
        problems += [f"csv: a formula: {cell}" for cell in row if cell.lstrip()[:1] in tuple("=+-@＝＋－＠")]
        yield number, problems


def fhir(file):
    text = file.read_text("utf-8")
    try:
        bundle = Bundle.model_validate_json(text)
    except ValueError as error:
        yield 0, [f"fhir.resources: {first(error)}"]
        return
    for number, entry in enumerate(bundle.entry or []):
        wrong = entry.resource.get_resource_type() != "AuditEvent"
        yield number, ["fhir.resources: no AuditEvent"] if wrong else []


def ocsf(file):
    classes = {}
    for number, line in enumerate(lines(file)):
        event = json.loads(line)
        uid = event["class_uid"]
        if uid not in classes:
            name, profiles = OCSF.lookup_class_name_from_uid(uid), event["metadata"]["profiles"]
            classes[uid] = Draft202012Validator(OCSF.get_class_schema(name, profiles))
        problems = [f"ocsf-json-schema: {error.message}" for error in classes[uid].iter_errors(event)]
        try:
            (DetectionFinding if uid == 2004 else BaseEvent).model_validate(event)
        except ValueError as error:
            problems.append(f"py-ocsf-models: {first(error)}")
        yield number, problems


def syslog(file):
    last = -1
    for number, line in enumerate(lines(file)):
        try:
            message = SyslogMessage.parse(line.decode("utf-8"))
        except Exception as error:
            yield number, [f"syslog-rfc5424-parser: {first(error)}"]
            continue
        facts = message.sd.get("cleanshift@32473", {})
        problems = []
        if not message.msg.startswith("\ufeff"):
            problems.append("syslog-rfc5424-parser: the message does not begin with the byte order mark")
        # What was pruned is not there; nothing stands twice or before what came before it.
        if int(facts.get("index", -1)) <= last or len(facts.get("leaf", "")) != 64:
            problems.append(f"syslog-rfc5424-parser: the structured data have no index and leaf: {facts}")
        last = int(facts.get("index", last))
        yield number, problems


def tree(file):
    """The root by pymerkle and the signature by PyNaCl; `file` has a checkpoint beside it."""
    note = file.with_suffix(".checkpoint").read_text("utf-8")
    merkle = InmemoryTree(algorithm="sha256")
    entries = lines(file)
    for entry in entries:
        merkle.append_entry(entry)
    text, signature = note.split("\n\n")
    _, size, root = text.split("\n")
    problems = []
    if (int(size), base64.b64decode(root)) != (merkle.get_size(), merkle.get_root()):
        problems.append("pymerkle: another root")
    public = base64.b64decode(KEY.split("+", 2)[2])[1:]
    try:
        VerifyKey(public).verify((text + "\n").encode(), base64.b64decode(signature.split(" ")[2])[4:])
    except Exception as error:
        problems.append(f"PyNaCl: {first(error)}")
    for number in range(len(entries)):
        yield number, problems if number == 0 else []


FORMS = {"jsonl": jsonl, "csv": table, "fhir": fhir, "ocsf": ocsf, "syslog": syslog, "tree": tree}

for wanted in sys.stdin.read().splitlines():
    form, file = wanted.split("\t")
    entries, problems = 0, []
    try:
        for number, found in FORMS[form](pathlib.Path(file)):
            entries += 1
            problems += [f"{number}: {problem}" for problem in found]
    except (csv.Error, ValueError, KeyError) as error:
        problems.append(first(error))
    print(json.dumps({"form": form, "file": file, "entries": entries, "problems": problems[:20]}))
