"""`output: email` and `output: json`: what is asked of the server and what is accepted from it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gptkit.core.chat import AnswerFormatError
from gptkit.core.errors import IncompleteError
from gptkit.output.extract import has_open_fence
from gptkit.output.formats import FORMATS, check_schema

EMAIL = FORMATS["email"](None)
COMMIT = FORMATS["commit"](None)
JSON = FORMATS["json"](None)
PERSON = {
    "title": "A person!",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def defect(schema: Mapping[str, object] | None, answer: str) -> AnswerFormatError:
    with pytest.raises(AnswerFormatError) as caught:
        FORMATS["json"](schema).finish(answer)
    assert isinstance(caught.value.failure, IncompleteError)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "mail"),
    [
        ("Subject: Friday\n\nDear Ana,\n\nSee you.\n", "Subject: Friday\n\nDear Ana,\n\nSee you."),
        ("Subject: Friday\nDear Ana,", "Subject: Friday\n\nDear Ana,"),
        ("subject:Friday\n\n\n\n  Dear Ana,  \n", "Subject: Friday\n\n  Dear Ana,"),
        ("**Subject:** Friday\n\nDear Ana,", "Subject: Friday\n\nDear Ana,"),
        ("**Subject: Friday**\n\n---\n\nDear Ana,\n\n-- \nBob", "Subject: Friday\n\nDear Ana,\n\n--\nBob"),
        ("### Subject: *Friday*\n**Body:**\nDear Ana,", "Subject: Friday\n\nDear Ana,"),
        ("```text\nSubject: Friday\n\nDear Ana,\n```", "Subject: Friday\n\nDear Ana,"),
        ("Sure!\n\n```\nSubject: Friday\n\nDear Ana,\n```\nAnything else?", "Subject: Friday\n\nDear Ana,"),
        ("Here is a draft:\n\nSubject: Friday\n\nDear Ana,", "Subject: Friday\n\nDear Ana,"),
        ("主题：周五\r\n\r\n您好：\r\n", "Subject: 周五\n\n您好："),
        ("Subject: Re: Friday: 5 * 3\n\nHi", "Subject: Re: Friday: 5 * 3\n\nHi"),
        (
            "Subject: A\n\nSubject: is what you asked for\n\nBye",
            "Subject: A\n\nSubject: is what you asked for\n\nBye",
        ),
    ],
)
def test_a_mail_gets_one_form(answer: str, mail: str) -> None:
    assert EMAIL.finish(answer) == mail
    assert EMAIL.finish(mail) == mail


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        ("", False),
        ("What should the mail say?", False),
        ("Dear Ana,\n\nsee you.", True),
        ("Subject:\n\nDear Ana,", True),
        ("Subject: Friday\n\n", False),
        ("one\ntwo\nthree\nfour\nfive\nSubject: too late\n\nbody", True),
    ],
)
def test_what_is_no_mail_is_refused(answer: str, again: bool) -> None:
    with pytest.raises(AnswerFormatError) as caught:
        EMAIL.finish(answer)
    assert isinstance(caught.value.failure, IncompleteError)
    assert caught.value.again is again


@pytest.mark.parametrize(
    "answer",
    [
        "Subject: Friday\nSubject: Monday\n\nDear Ana,",
        "Subject: Friday\n\nDear Ana,\n\nsee you.\n\nSubject: Monday\n\nDear Ana,",
        "```\nSubject: Friday\n\nDear Ana,\n```\nOr:\n```\nSubject: Monday\n\nDear Ana,\n```",
        "主题：周五\n\n您好：\n\n---\n主题：周一\n\n您好：",
    ],
)
def test_of_several_mails_none_is_taken(answer: str) -> None:
    with pytest.raises(AnswerFormatError) as caught:
        EMAIL.finish(answer)
    assert caught.value.problem == "it must hold one e-mail with one subject line"
    assert caught.value.again


def test_a_mail_may_speak_of_subjects() -> None:
    mail = "Subject: 会议\n\n各位同事：\n\n主题：季度总结\n时间：周五"
    assert EMAIL.finish(mail) == mail


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("Refuse empty names\n", "Refuse empty names"),
        ("Refuse empty names\n\nThey were stored.  \n", "Refuse empty names\n\nThey were stored."),
        ("```text\nfix(net): try again\n```", "fix(net): try again"),
        ("Here is the message:\n\n```\n拒绝空名称\n\n它们无法删除。\n```\n", "拒绝空名称\n\n它们无法删除。"),
        ("Quote code\n\nAs in:\n\n```\nx\n```", "Quote code\n\nAs in:\n\n```\nx\n```"),
        ("a" * 72, "a" * 72),
        ("中" * 36, "中" * 36),
    ],
)
def test_a_commit_message_gets_one_form(answer: str, message: str) -> None:
    assert COMMIT.finish(answer) == message
    assert COMMIT.finish(message) == message


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "it must be a commit message"),
        ("a" * 73, "its subject line must have at most 72 columns, not 73"),
        ("中" * 37, "its subject line must have at most 72 columns, not 74"),
        ("# Refuse empty names", "its subject line must not begin with '#'"),
        ("Refuse\nempty names", "a blank line must stand between subject and body"),
        (
            "Here is the message:\n\nRefuse empty names",
            "its first line must be the subject, which does not end with a colon",
        ),
    ],
)
def test_what_is_no_commit_message_is_refused(answer: str, problem: str) -> None:
    with pytest.raises(AnswerFormatError) as caught:
        COMMIT.finish(answer)
    assert (caught.value.problem, caught.value.again) == (problem, True)
    assert isinstance(caught.value.failure, IncompleteError)


@pytest.mark.parametrize(
    ("answer", "is_open"),
    [
        ("```\na\n```", False),
        ("No code, ``` in a line.", False),
        ("````markdown\n```python\nx\n```\n````", False),
        ("```markdown\n```python\nx\n```\n```", False),
        ("```\na\n```\n\n```python\nb = 1", True),
        ("~~~\na\n```", True),
        ("- one\n  ```sh\n  ls\n", True),
    ],
)
def test_a_fence_that_is_never_closed(answer: str, is_open: bool) -> None:
    assert has_open_fence(answer) is is_open


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"b": 1, "a": [true, null]}', {"b": 1, "a": [True, None]}),
        (' \ufeff["中"]\n', ["中"]),
        ('"text"', "text"),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Here you are:\n\n```\n{"a": 1}\n```\nSee [1].', {"a": 1}),
        ('Here you are: {"a": {"b": [1]}} as asked.', {"a": {"b": [1]}}),
        ('As [1] says: {"a": 1}.', {"a": 1}),
        ('{"a": 1}\n{"a": 1}', {"a": 1}),
    ],
)
def test_takes_the_json_value(answer: str, value: object) -> None:
    assert JSON.finish(answer) == json.dumps(value, ensure_ascii=False, indent=2)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "it is not valid JSON: unexpected end at line 1, column 1"),
        ("1" * 5000, f"it is not valid JSON: number too long: {'1' * 20}..."),
        ("No idea.", "it is not valid JSON: unexpected 'No idea.' at line 1, column 1"),
        ('{"a": 1', "it is not valid JSON: unexpected end at line 1, column 8"),
        ('{"a": {"b": 1}, oops', "it is not valid JSON: unexpected 'oops' at line 1, column 17"),
        ('{"a": 1} {"a": 2}', "it is not valid JSON: it holds 2 JSON values where one was asked for"),
        ('{"a": NaN}', "it is not valid JSON: NaN is not JSON"),
        ('{"a": 1e999}', "it is not valid JSON: number out of range: 1e999"),
        ("[" * 100_000, "it is not valid JSON: nested too deeply"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "it is not valid JSON: key 'c' is there twice"),
        ('Here: {"a": 1, "a": 1}', "it is not valid JSON: unexpected 'Here: "),
        ('{"a": [1, 2}', "it is not valid JSON: unexpected '}' at line 1, column 12"),
    ],
)
def test_says_why_it_is_not_json(answer: str, problem: str) -> None:
    found = defect(None, answer)
    assert found.problem.startswith(problem)
    assert found.again
    assert str(found.failure).startswith("the answer is not JSON: ")


def test_a_lone_surrogate_in_json_can_be_encoded() -> None:
    assert JSON.finish(r'{"a": "\ud83d\ude00 \ud800"}').encode() == '{\n  "a": "😀 \ufffd"\n}'.encode()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=50)
@given(JSON_VALUES)
def test_every_value_survives(value: object) -> None:
    found = json.loads(JSON.finish(json.dumps(value)))
    assert found == value


def test_asks_for_an_object_or_for_the_schema() -> None:
    assert JSON.parameters == {"response_format": {"type": "json_object"}}
    assert FORMATS["json"](PERSON).parameters == {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "A_person", "schema": PERSON, "strict": True},
        }
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {**PERSON, "required": ["name"]},
        {**PERSON, "additionalProperties": True},
        {
            "type": "object",
            "properties": {"p": {"type": "object", "properties": {}}},
            "required": ["p"],
            "additionalProperties": False,
        },
        {**PERSON, "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer"}}},
        {**PERSON, "properties": {"name": True, "age": {"type": "integer"}}},
        {**PERSON, "properties": {"name": {"anyOf": [{"type": "object"}, {"type": "null"}]}, "age": {}}},
        {**PERSON, "$defs": {"x": {"oneOf": []}}},
        {"anyOf": [PERSON]},
    ],
)
def test_is_strict_only_where_strict_mode_can_be(schema: dict[str, object]) -> None:
    asked = FORMATS["json"](schema).parameters["response_format"]
    assert isinstance(asked, dict)
    assert "strict" not in asked["json_schema"]
    assert asked["json_schema"]["schema"] is schema


@pytest.mark.parametrize(
    ("title", "name"), [("漢字", "answer"), ("a" * 80, "a" * 64), (7, "answer"), ("To-do list", "To-do_list")]
)
def test_the_name_is_one_that_the_api_takes(title: object, name: str) -> None:
    asked = FORMATS["json"]({"title": title}).parameters["response_format"]
    assert isinstance(asked, dict)
    assert asked["json_schema"]["name"] == name


def test_takes_what_the_schema_allows() -> None:
    form = FORMATS["json"](PERSON)
    assert json.loads(form.finish('{"name": "李", "age": 3}')) == {"name": "李", "age": 3}
    both = 'For example {"name": "x"}. So: {"name": "y", "age": 1}'
    assert json.loads(form.finish(both)) == {"name": "y", "age": 1}


@pytest.mark.parametrize(
    ("schema", "answer", "problem"),
    [
        (PERSON, '{"name": "x", "age": "3"}', '$.age: must be integer, not "3"'),
        (PERSON, '{"name": "x"}', "missing: 'age'"),
        (
            {"type": "array", "items": PERSON},
            '[{"name": 1, "age": 1}]',
            "$[0].name: must be string, not 1",
        ),
        (
            {"type": "object", "properties": {"d": {"format": "date"}}},
            '{"d": "soon"}',
            '$.d: must fit format "date", unlike "soon"',
        ),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "null"}}}, "1", "must be null, not 1"),
        ({"type": ["null", "string"]}, "1", "must be null or string, not 1"),
        ({"enum": ["是", "否"]}, '"也许"', 'must be one of ["是", "否"], not "也许"'),
        (PERSON, '{"name": "x", "b": 1, "c": 2}', "missing: 'age'; not allowed: 'b', 'c'"),
        (
            {"pattern": "^(a|aa)+$"},
            json.dumps("a" * 60 + "!"),
            "a pattern of the schema takes longer than 1 s",
        ),
        ({"pattern": "^[一-龥]+$"}, '"早上好!"', 'must fit pattern "^[一-龥]+$", unlike "早上好!"'),
        (
            {"patternProperties": {"^x": {}}, "additionalProperties": False},
            '{"xa": 1, "y": 2}',
            "not allowed: 'y'",
        ),
        ({"properties": {"a": False}}, '{"a": 1}', "nothing may stand here, not 1"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "3", "must fit anyOf, unlike 3"),
    ],
)
def test_names_path_and_reason_of_a_mismatch(schema: dict[str, object], answer: str, problem: str) -> None:
    found = defect(schema, answer)
    assert found.problem == f"it does not match the JSON schema: {problem}"
    assert str(found.failure) == f"the answer does not match the schema: {problem}"
    assert found.again


def test_a_mismatch_is_told_briefly() -> None:
    found = defect({"items": {"type": "string"}}, json.dumps([{"x": "y" * 5000}] * 50))
    assert len(found.problem) < 1000


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (PERSON, None),
        ({}, None),
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "definitions": {"a": {}},
                "$ref": "#/definitions/a",
            },
            None,
        ),
        ({"$defs": {"a": {"$id": "https://x.example/a"}}, "$ref": "https://x.example/a"}, None),
        ({"$ref": "#"}, None),
        ({"type": "strnig"}, '$.type: must fit anyOf, unlike "strnig"'),
        (
            {"properties": {"a": {"type": 3}}},
            "$.properties.a.type: must fit anyOf, unlike 3",
        ),
        ({"required": "name"}, '$.required: must be array, not "name"'),
        ({"$ref": "#/$defs/a"}, "'$ref' names '#/$defs/a', which is not in the schema; nothing is fetched"),
        (
            {"properties": {"a": {"$ref": "http://127.0.0.1:9/s.json"}}},
            "'$ref' names 'http://127.0.0.1:9/s.json', which is not in the schema; nothing is fetched",
        ),
        (
            {"$ref": "file:///etc/passwd"},
            "'$ref' names 'file:///etc/passwd', which is not in the schema; nothing is fetched",
        ),
        (
            {"items": {"$dynamicRef": "http://127.0.0.1:9/s.json"}},
            "'$dynamicRef' names 'http://127.0.0.1:9/s.json', which is not in the schema; nothing is fetched",
        ),
        (
            {"properties": {"a": {"pattern": "("}}},
            '$.properties.a.pattern: must fit format "regex", unlike "("',
        ),
        ({"patternProperties": {"(": {}}}, '$.patternProperties: must fit format "regex", unlike "("'),
        ({"$schema": 5}, "$['$schema']: must be a text"),
        ({"$id": "http://[", "$ref": "a"}, "cannot be resolved: an '$id' in it is no address"),
        ({"enum": [object()]}, "cannot be written as JSON"),
    ],
)
def test_a_schema_is_checked_before_anything_is_sent(schema: dict[str, object], problem: str | None) -> None:
    assert check_schema(schema) == problem


def test_a_reference_that_only_the_answer_comes_to_is_a_mismatch() -> None:
    hidden = {"x": {"$ref": "http://127.0.0.1:9/s.json"}, "properties": {"a": {"$ref": "#/x"}}}
    assert check_schema(hidden) is None
    told = "it names 'http://127.0.0.1:9/s.json', which is not in the schema; nothing is fetched"
    assert defect(hidden, '{"a": 1}').problem == f"it does not match the JSON schema: {told}"


def test_a_schema_that_never_ends_is_refused() -> None:
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"not": deep}
    assert check_schema(deep) == "nested too deeply"
