"""The JavaScript against the server's own description: requests, types, fields sent and read.

JavaScript has no types here, so the test knows which variables hold which answer (`VARIABLES`,
`ELEMENTS`). The last test keeps these tables whole: a field that nothing seems to read fails it.
"""

import re
from pathlib import Path

import pytest

import alvision

STATIC = Path(alvision.__file__).parent / "page" / "static"
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in sorted(STATIC.glob("*.js"))}

# The variables that hold an answer or a part of it; by file where a name means two things.
VARIABLES = {
    "": {
        "state": "State", "batch": "BatchProgress", "point": "CurvePoint", "item": "Item",
        "near": "Neighbour", "shownClass": "ShownClass", "conflict": "Conflict", "vote": "Vote",
        "book": "LabelBook", "bookEntry": "BookEntry", "opinion": "Opinion",
        "seen": "SeenRegion", "gridClass": "GridClass",
        "refusal": "RefusedEvent", "views": "LookAlikes", "rule": "GroupingRule",
    },
    "api.js": {"data": "Problem"},
    "browse.js": {
        "answered": "Answered", "answeredImage": "AnsweredImage", "chosen": "AnsweredImage",
        "given": "GivenAnswer",
    },
    "book.js": {"entry": "BookEntry"},
    "chart.js": {"first": "CurvePoint", "last": "CurvePoint"},
    "grid.js": {"grid": "Grid"},
    "feed.js": {"reply": "NextItems", "current": "Item"},
    "header.js": {"last": "CurvePoint"},
    "outbox.js": {"reply": "SubmissionResult"},
    "row.js": {"content": "RowContent"},
    "sitting.js": {"reply": "SubmissionResult", "last": "LastAnswer"},
}  # fmt: skip
# The lists in answers whose elements are taken apart on the spot: `x.map(({ a, b }) => ...)`.
ELEMENTS = {
    "advice": "AdviceSentence", "changed": "ChangedPrediction", "predicted": "PredictedClass",
    "classes": "ShownClass", "near": "Neighbour", "refused": "RefusedEvent",
}  # fmt: skip
# What the page itself hangs on an item: pictures that are loaded ahead.
OWN = {"Item": {"picture", "thumbs", "heat"}}
ARRAY = {"at", "filter", "find", "length", "map", "slice", "some"}
# Fields for programs other than this page.
UNREAD = {
    ("BatchProgress", "round"), ("Conflict", "heatmap"), ("Item", "slot"), ("Item", "votes"),
    ("Opinion", "heatmap"), ("Opinion", "neighbours"), ("Opinion", "reason"),
    ("Opinion", "strange"),
    ("State", "experts"), ("Stored", "stored"),
}  # fmt: skip


@pytest.fixture(scope="module")
def schema(old_page):
    return old_page.get("/api/openapi.json").json()


@pytest.fixture(scope="module")
def fields(schema):
    """Return the field names of every object in the schema."""
    return {name: set(o["properties"]) for name, o in schema["components"]["schemas"].items()}


def calls():
    """Return each request of api.js: its name, documented type, method and path."""
    found = re.findall(
        r"/\*\* @returns \{Promise<(.+?)>\} \*/\n  (\w+): \(.*?\) => call\([`\"](/[\w/]+)(.*)\),",
        SOURCES["api.js"],
    )
    return {
        name: (type_, "post" if re.match(r'", (\{|\w+)', rest) else "get", path)
        for type_, name, path, rest in found
    }


def reference(content):
    """Return the name of the object that a body or an answer consists of."""
    schema = content["application/json"]["schema"]
    choices = schema.get("anyOf", [schema])
    names = [
        choice["$ref"].rsplit("/", 1)[-1] if "$ref" in choice else "null" for choice in choices
    ]
    return " | ".join(names)


def without_strings(source):
    return re.sub(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*', '""', source)


def taken_apart(pattern):
    """Return the names in `{ a, b: c }`."""
    return {part.split(":")[0].strip() for part in pattern.split(",")} - {""}


def reads():
    """Return (file, object, field) for every field that the JavaScript reads of an answer."""
    found = set()
    for name, source in SOURCES.items():
        code = without_strings(source)
        variables = {**VARIABLES[""], **VARIABLES.get(name, {})}
        for variable, type_ in variables.items():
            own = rf"(?:(?<![\w.])|(?<=\.\.\.))(?:this\.#?|(?:this\.#)?session\.)?#?{variable}\b"
            read = set(re.findall(rf"{own}\??\.(\w+)", code))
            for pattern in re.findall(rf"const \{{([^}}]*)\}} = {own}[;,]", code):
                read |= taken_apart(pattern)
            read -= OWN.get(type_, set())
            found |= {(name, type_, field) for field in read - ARRAY}
        for variable, type_ in ELEMENTS.items():
            own = rf"\b{variable}\b"
            loops = re.findall(rf"const \{{([^}}]*)\}} of \w*\.?{own}\)", code)
            for pattern in loops + re.findall(rf"{own}\.map\(\(\{{([^}}]*)\}}", code):
                found |= {(name, type_, field) for field in taken_apart(pattern)}
        for pattern, call in re.findall(r"const \{([^}]*)\} = await api\.(\w+)\(", code):
            found |= {(name, calls()[call][0], field) for field in taken_apart(pattern)}
        for call, field in re.findall(r"\(await api\.(\w+)\(.*?\)\)\.(\w+)", code):
            found.add((name, calls()[call][0], field))
    if "LISTS" in SOURCES["book.js"]:
        lists = re.search(r"LISTS = \[(.*)\]", SOURCES["book.js"])[1]
        found |= {("book.js", "BookEntry", field) for field in re.findall(r"\w+", lists)}
    return found


def test_every_request_of_the_page_exists_and_answers_what_its_comment_says(schema):
    assert len(calls()) == SOURCES["api.js"].count("=> call(")
    for name, (type_, method, path) in calls().items():
        operation = schema["paths"][path][method]
        answer = reference(operation["responses"]["200"]["content"])
        assert type_ == answer, f"api.{name} answers {answer}"


def test_the_page_uses_every_request_that_the_server_offers(schema):
    offered = {(method, path) for path, ways in schema["paths"].items() for method in ways}
    used = {(method, path) for _, method, path in calls().values()}
    assert offered - used == {
        ("get", f"/{pictures}/{{address}}") for pictures in ("image", "tile", "heatmap")
    }
    assert "/image/$" in SOURCES["api.js"]
    assert "/tile/$" in SOURCES["api.js"]
    assert "/heatmap/$" in SOURCES["api.js"]


def test_the_page_reads_only_fields_that_the_server_sends(fields):
    strange = {(name, type_, field) for name, type_, field in reads() if field not in fields[type_]}
    assert not strange


def test_every_field_that_the_server_sends_is_read_or_listed_as_for_others(fields, schema):
    bodies = {"SubmittedEvent"} | {
        reference(operation["requestBody"]["content"])
        for ways in schema["paths"].values()
        for operation in ways.values()
        if "requestBody" in operation
    }
    copied = {"Counts"}  # `Session.count` puts them into the state, where they are read
    sent = {(type_, field) for type_ in set(fields) - bodies - copied for field in fields[type_]}
    read = {(type_, field) for _, type_, field in reads()}
    assert sent - read == UNREAD


def test_what_the_page_sends_is_what_the_server_reads(schema, fields):
    bodies = re.findall(
        r"api\.(\w+)\(\{((?:[^{}]|\{[^}]*\})*)\}", "".join(map(without_strings, SOURCES.values()))
    )
    assert {name for name, _ in bodies} == {"settle", "classes", "close", "setup", "saveBook"}
    for name, body in bodies:
        _, method, path = calls()[name]
        content = schema["paths"][path][method]["requestBody"]["content"]
        sent = {part for part in taken_apart(body) if not part.startswith("...")}
        assert sent <= fields[reference(content)], name
    events = re.findall(r"const event = \{([^}]*)\}", SOURCES["sitting.js"])
    assert len(events) == 4
    for event in [*events, "grid: name"]:
        assert taken_apart(event) <= fields["SubmittedEvent"]


def test_the_description_is_served_like_everything_else(make_page, old_page):
    for path in ("/api", "/api/openapi.json"):
        assert old_page.get(path).status_code == 200
        assert old_page.get(path, headers={"host": "elsewhere.example"}).status_code == 403
        assert make_page(token="0" * 32).get(path).status_code == 403


def test_the_description_names_every_request_and_every_object(old_page, schema):
    text = old_page.get("/api").text
    for path in schema["paths"]:
        assert path in text
    for name, described in schema["components"]["schemas"].items():
        assert f'id="{name}"' in text
        assert described.get("description"), name


def test_errors_are_described_as_the_page_sends_them(schema):
    for ways in schema["paths"].values():
        for operation in ways.values():
            assert "422" not in operation["responses"]
            problem = operation["responses"]["4XX"]["content"]
            assert reference(problem) == "Problem"
