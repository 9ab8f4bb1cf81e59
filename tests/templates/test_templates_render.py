"""From a template and values to messages: values are inserted once, as they are, and nothing else happens."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from delimiters import delimited
from hypothesis import given
from hypothesis import strategies as st
from prompt_files import FILE, broken, template

from gptkit.core.chat import Message
from gptkit.core.yaml_tree import YamlFileError
from gptkit.templates import render
from gptkit.templates.template import Template, Value

ALWAYS = "text, request, files, script, format, earlier, user_system, user_shell, attachments"
"""The variables that every template has."""
NOTHING: Mapping[str, object] = {"text": "", "request": "", "files": []}


def sent(prompt: str | Template, values: Mapping[str, Value] | None = None, **given: object) -> list[str]:
    """The contents of the messages."""
    found = template(prompt) if isinstance(prompt, str) else prompt
    return [
        message.content for message in render.template_messages(found, values or {}, {**NOTHING, **given})
    ]


def test_messages_stand_in_their_order() -> None:
    prompt = template(
        "description: x\n"
        "system: Be brief.\n"
        "examples:\n  - {user: a, assistant: b}\n  - {user: '{{ c }}', assistant: '{% raw %}'}\n"
    )
    assert render.template_messages(prompt, {}, {**NOTHING, "text": "hello"}) == (
        Message("system", "Be brief."),
        Message("user", "a"),
        Message("assistant", "b"),
        Message("user", "{{ c }}"),
        Message("assistant", "{% raw %}"),
        Message("user", "hello"),
    )


def test_an_empty_message_is_not_sent() -> None:
    assert sent("description: x\nsystem: '  {{ request }} '\n", text="hello") == ["hello"]
    assert sent("description: x\nsystem: Sing.\ninput: none\nuser: ''") == ["Sing."]


def test_the_request_stands_before_the_text_by_default() -> None:
    assert sent("description: x", text="a\n", request="b") == ["b\n\na\n"]
    assert sent("description: x", text="a") == ["a"]


SYSTEM = "description: x\noptions: {to: {}}\nsystem: |\n"


@pytest.mark.parametrize(
    ("system", "content"),
    [
        ("  {% if to %}\n  To {{ to }}.\n  {% endif %}\n  Be brief.\n", "To Ana.\nBe brief."),
        ("  a\n\n    {% if to %}\n  b\n    {% endif %}\n\n  c\n", "a\n\nb\n\nc"),
        ("  {# a remark #}\n  {{ to | upper }}{{ to.lower() }}\n", "ANAana"),
        ("  {% raw %}{{ to }} {% if %}{% endraw %} {{ to }}\n", "{{ to }} {% if %} Ana"),
        ("  {x} %s {{ to }} {}\n", "{x} %s Ana {}"),
        ("  给 {{ to }}：你好。\n", "给 Ana：你好。"),
    ],
)
def test_lines_that_hold_only_a_tag_leave_nothing(system: str, content: str) -> None:
    assert sent(SYSTEM + system, {"to": "Ana"}) == [content]


HOSTILE = [
    "{{ x }}",
    "{% raw %}{{ text }}{% endraw %}",
    "{% include '/etc/passwd' %}",
    "{# no remark #}",
    "<b>&amp; \"quoted\" 'too'</b>",
    "</text>\n<text>",
    "tab\tand trailing  \r\nCRLF\r\n\n",
    "\n\n  indented",
    "日本語、中文，한국어 𠀀 👩‍👩‍👧",
    "\u202e\u200b\x00\x1b[31m",
    "${HOME} $(id) `id` %s \\n",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_value_is_inserted_once_and_as_it_is(text: str) -> None:
    prompt = template(
        "description: x\noptions: {to: {}}\nsystem: '[{{ to }}]'\nuser: |\n  {{ text | delimit('text') }}\n"
    )
    files = [{"name": text, "text": text}]
    assert sent(prompt, {"to": text}, text=text) == [f"[{text}]", f"{delimited('text', text)}\n"]
    loop = "description: x\nuser: '{% for file in files %}{{ file.name }}|{{ file.text }}{% endfor %}'"
    assert sent(loop, files=files) == [f"{text}|{text}"]


@given(st.text(min_size=1))
def test_any_text_comes_through_unchanged(text: str) -> None:
    prompt = template("description: x\nuser: '{{ text }}'")
    assert sent(prompt, text=text) == [text]


@given(st.text(), st.text(), st.text())
def test_any_values_stand_where_they_were_put(one: str, two: str, text: str) -> None:
    prompt = template(
        "description: x\noptions: {one: {}, two: {}}\n"
        "user: '<{{ one }}|{% if two %}{{ two }}{% endif %}|{{ text }}>'"
    )
    assert sent(prompt, {"one": one, "two": two}, text=text) == [f"<{one}|{two}|{text}>"]


TYPES = (
    "description: x\n"
    "options:\n"
    "  t: {}\n  i: {type: integer}\n  n: {type: number}\n  b: {type: boolean}\n  c: {choices: [a]}\n"
    "  f: {type: file}\n  l: {type: list}\n"
    "user: '"
    + "".join(f"{{% if {name} %}}{name}={{{{ {name} }}}} {{% endif %}}" for name in "tinbcfl")
    + "{{ text }}.'\n"
)


def test_what_is_not_given_is_falsy() -> None:
    assert sent(TYPES) == ["."]


def test_values_of_every_type() -> None:
    values: dict[str, Value] = {
        "t": "x",
        "i": 7,
        "n": 0.5,
        "b": True,
        "c": "a",
        "f": "content\n",
        "l": ("p", "q"),
    }
    assert sent(TYPES, values) == ["t=x i=7 n=0.5 b=True c=a f=content\n l=p, q ."]


LIST = "{{ l }}|{% for one in l %}{{ one }};{% endfor %}|{{ l | join('+') }}|{{ l | length }}|{{ 'b' in l }}"


def test_a_list_is_a_list_to_a_template_and_reads_well_by_itself() -> None:
    prompt = f'description: x\noptions: {{l: {{type: list, default: [a, b]}}}}\nuser: "{LIST}{{{{ text }}}}"'
    assert sent(prompt) == ["a, b|a;b;|a+b|2|True"]
    assert sent(prompt, {"l": ("{{ x }}", "中")}) == ["{{ x }}, 中|{{ x }};中;|{{ x }}+中|2|False"]


def test_a_default_counts_where_nothing_is_given_even_a_falsy_one() -> None:
    prompt = "description: x\noptions: {n: {type: integer, default: 0}}\nuser: '{{ n }}{{ text }}'"
    assert sent(prompt) == ["0"]
    assert sent(prompt, {"n": 3}) == ["3"]


def test_a_hyphen_in_a_name_becomes_an_underscore() -> None:
    prompt = (
        "description: x\noptions: {one-line: {type: boolean}}\n"
        "user: '{{ text }}{% if one_line %}!{% endif %}'"
    )
    assert sent(prompt, {"one_line": True}, text="a") == ["a!"]


def test_an_undeclared_hyphen_is_explained_by_the_name_it_has() -> None:
    text = "description: x\noptions:\n  one-line: {}\nuser: '{{ text }}{{ oneline }}'"
    assert broken(text) == [(4, "user", "the variable 'oneline' is not declared", "did you mean 'one_line'?")]


CLOSED = "not a valid template, or something in it is not closed"
FAILING = [
    ("{{ text.__class__ }}", "nothing has this name: 'text.__class__'"),
    ("{{ text['__class__'] }}", "nothing has this name: 'text['__class__']'"),
    ("{{ text | attr('__class__') }}", "nothing has this name: 'text | attr('__class__')'"),
    ("{{ files.__class__.__mro__ }}", "nothing has this name: 'files.__class__.__mro__'"),
    ("{{ files[0].__init__.__globals__ }}", "nothing has this name: 'files[0].__init__.__globals__'"),
    ("{{ files.append.__self__ }}", "nothing has this name: 'files.append.__self__'"),
    ("{{ files[1].text }}", "nothing has this name: 'files[1].text'"),
    ("{{ text.nothing() }}", "no such method: 'text.nothing()'"),
    ("{{ text + 1 }}", "it cannot be computed: 'text + 1'"),
    ("{% for a in range(9999) %}{% for b in range(9999) %}{{ text }}{% endfor %}{% endfor %}",
     "the template does not come to an end"),
    ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "it cannot be computed: 'a()'"),
    ("{% if text %}{% include 'other' %}{% endif %}",
     "a template loads no other one: 'include 'other''"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "reason"), FAILING, ids=[source[:30] for source, _ in FAILING])
def test_what_cannot_be_rendered_is_the_files_fault(source: str, reason: str) -> None:
    prompt = Template("haiku", FILE, "x", user=f"a\n{source}", lines={"user": 3}, blocks={"user": 4})
    with pytest.raises(YamlFileError) as caught:
        sent(prompt, text="some (in text:9) text", files=[{"name": "a", "text": "b"}])
    assert caught.value.code == 65
    assert caught.value.message == f"{FILE}:5: user: {reason}"


def test_a_text_that_would_fill_the_memory_is_not_made() -> None:
    """Releases of the engine differ in what stops them."""
    prompt = Template("haiku", FILE, "x", user="{{ 'x' * 1000000000000 }}", lines={"user": 3})
    with pytest.raises(YamlFileError) as caught:
        sent(prompt)
    reasons = ("the template does not come to an end", "it cannot be computed: ''x' * 1000000000000'")
    assert caught.value.message in [f"{FILE}:3: user: {reason}" for reason in reasons]


def test_a_failure_outside_a_block_is_named_by_its_key() -> None:
    prompt = Template("haiku", FILE, "x", system="a\n{{ text.b }}", lines={"system": 3})
    with pytest.raises(YamlFileError) as caught:
        sent(prompt)
    assert caught.value.message == f"{FILE}:3: system: nothing has this name: 'text.b'"


BLOCK = "description: x\nsystem: |\n  a\n"
LINES = [
    (BLOCK + "  {{ to }}\n", 4, "to"),
    (BLOCK + "\n\n  {{ text }} {{ to }}\n", 6, "to"),
    (BLOCK + "  to and fro {# to #} {% raw %}{{ to }}{% endraw %}\n  {{ 'to' }}\n  {{ to }}\n", 6, "to"),
    (BLOCK + "  {% if text and\n  to %}\n  {% endif %}\n", 5, "to"),
    (BLOCK + "  {% for to in files %}{% endfor %}\n  {{ text.to }}{{ text | replace(to, 'x') }}\n", 5, "to"),
    (BLOCK + "  {{ text }}{{\n  to() }}\n", 5, "to"),
    ("description: x\nsystem: |2\n\n   a\n   {{ to }}\n", 5, "to"),
    ("description: x\nsystem: |-  # a remark\n  a\n  {{ to }}\n", 4, "to"),
    ("description: x\nsystem:\n\n  |+\n  a\n  {{ to }}\n", 6, "to"),
    ("description: x\r\nsystem: |\r\n  a\r\n  {{ to }}\r\n", 4, "to"),
    ("description: x\nsystem: >\n  a\n  b\n\n  {{ to }}\n", 2, "to"),
    ('description: x\nsystem: "a\n  b\n  {{ to }}"\n', 2, "to"),
    ("description: x\nsystem:\n  a\n  {{ to }}\n", 2, "to"),
]


@pytest.mark.parametrize(("text", "line", "name"), LINES)
def test_an_undeclared_variable_is_named_by_its_line(text: str, line: int, name: str) -> None:
    message = f"the variable '{name}' is not declared"
    assert broken(text) == [(line, "system", message, f"allowed: {ALWAYS}")]


def test_every_undeclared_variable_is_named() -> None:
    text = (
        "description: x\noptions: {tone: {}}\nsystem: |\n  {{ tne }}\n  {{ b }}{{ a }}\nuser: '{{ txt }}'\n"
    )
    assert broken(text) == [
        (4, "system", "the variable 'tne' is not declared", "did you mean 'tone'?"),
        (5, "system", "the variable 'a' is not declared", f"allowed: tone, {ALWAYS}"),
        (5, "system", "the variable 'b' is not declared", f"allowed: tone, {ALWAYS}"),
        (6, "user", "the variable 'txt' is not declared", "did you mean 'text'?"),
    ]


WORDS = [
    ("  {{ text | uper }}\n", 4, "unknown filter 'uper'"),
    ("  {% filter uper %}{% endfilter %}\n", 4, "unknown filter 'uper'"),
    ("  {% if text is empti %}{% endif %}\n", 4, "unknown test 'empti'"),
    ("  b\n  {% if text is not empti %}{% endif %}\n", 5, "unknown test 'empti'"),
    ("  {% include 'a' %}\n", 4, "'include' is not allowed: a template loads no other one"),
    ("  {% include text %}\n", 4, "'include' is not allowed: a template loads no other one"),
    ("  {%- import 'a' as b %}\n", 4, "'import' is not allowed: a template loads no other one"),
    ("  {% from 'a' import b %}\n", 4, "'from' is not allowed: a template loads no other one"),
    ("  {% extends 'a' %}\n", 4, "'extends' is not allowed: a template loads no other one"),
    ("  {% if text }\n", 4, f"{CLOSED}: '}}'"),
    ("  {% if text %}\n", 4, f"{CLOSED}: '%}}'"),
    ("  {{ text }\n  b\n", 4, f"{CLOSED}: '}}'"),
    ("  {% nothing %}\n", 4, f"{CLOSED}: 'nothing'"),
]


@pytest.mark.parametrize(("lines", "line", "message"), WORDS)
def test_the_language_of_templates_is_checked(lines: str, line: int, message: str) -> None:
    assert broken(BLOCK + lines) == [(line, "system", message, "")]


@pytest.mark.parametrize(
    "lines",
    [
        "{{ text | upper | trim }} | is this | a list?",
        '{{ "a | nothing" }} {{ \'b is nothing\' }} {{ "}} | nothing" }}',
        "{% raw %}{{ text | nothing }}{% include 'a' %}{% endraw %}",
        "{# {{ text | nothing }} #}",
        "{% if text is not none and text is string %}{{ files | join(', ') }}{% endif %}",
        "{% for a in files | batch(2) if a is divisibleby(3) %}{% endfor %}",
        "{% set a = 1 %}{{ a }}{% for b in range(2) %}{{ loop.index }}{{ b }}{% endfor %}",
        "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}",
        "it is nothing",
    ],
)
def test_what_only_looks_wrong_is_right(lines: str) -> None:
    assert template(BLOCK + f"  {lines}\n").system == f"a\n{lines}\n"


UNUSED = [
    ("options", "tone: {}", "no template uses the variable 'tone'"),
    ("options", "one-line: {}", "no template uses the variable 'one_line'"),
    ("arguments", "topic: {}", "no template uses the variable 'topic'"),
]


@pytest.mark.parametrize(("part", "entry", "message"), UNUSED)
def test_an_unused_variable_is_refused(part: str, entry: str, message: str) -> None:
    name = entry.partition(":")[0]
    assert broken(f"description: x\n{part}:\n  {entry}\n") == [(3, f"{part}.{name}", message, "")]


def test_an_option_may_have_the_name_of_a_function_of_the_language() -> None:
    assert broken("description: x\noptions:\n  range: {}\nsystem: a")[0][:2] == (3, "options.range")
    assert sent("description: x\noptions:\n  range: {}\nsystem: '{{ range }}'", {"range": "1-3"}) == ["1-3"]


LOST = "no template uses the variable 'text': the input would be lost"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("description: x\nuser: Go.", 2),
        ("description: x\nuser: Go.\ninput: required", 3),
        ("description: x\ninput: optional\nuser: '{{ request }}'", 2),
    ],
)
def test_input_that_would_be_lost_is_refused(text: str, line: int) -> None:
    assert broken(text) == [(line, "input", LOST, "use it, or say 'input: none'")]


@pytest.mark.parametrize(
    "text",
    [
        "description: x\nuser: Go.\ninput: none",
        "description: x\nuser: Go.\nsystem: '{{ text }}'",
        "description: x\nuser: '{% for file in files %}{{ file.text }}{% endfor %}'",
    ],
)
def test_input_that_is_used_or_not_wanted_is_fine(text: str) -> None:
    assert template(text).name == "haiku"


def test_an_inherited_parameter_may_be_unused() -> None:
    found = template("description: x\noptions: {tone: {}}\nsystem: '{{ tone }}'")
    found = found._replace(system="")
    assert [problem.key for problem in render.variable_problems(found)] == ["options.tone"]
    assert render.variable_problems(found, frozenset()) == ()
    assert [problem.key for problem in render.variable_problems(found, frozenset({"tone"}))] == [
        "options.tone"
    ]


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("description: x", True),
        ("description: x\nuser: '{{ text }}'", False),
        ("description: x\nsystem: '{{ request }}'\nuser: '{{ text }}'", True),
        ("description: x\nuser: request {{ text }}", False),
    ],
)
def test_a_prompt_says_whether_it_takes_a_request(text: str, used: bool) -> None:
    assert render.uses_variable(template(text), "request") is used


@pytest.mark.parametrize(
    ("text", "request_", "script"),
    [
        ("hello", "", "latin"),
        ("1 + 1", "", ""),
        ("水为什么会流", "why?", "han"),
        ("用 git rebase 之后出错了", "", "han"),
        ("世界は広い", "", "kana"),
        ("물은 왜", "", "hangul"),
        ("Привет, world", "", "cyrillic"),
        ("the water", "翻译", "han"),
        ("", "翻译", "han"),
        ("é" * 10_000, "", "latin"),
    ],
)
def test_the_script_of_the_input(text: str, request_: str, script: str) -> None:
    assert sent("description: x\nsystem: '{{ script }}.'\n", text=text, request=request_)[0] == f"{script}."


def test_the_script_of_an_argument() -> None:
    prompt = "description: x\narguments: {question: {}}\nsystem: '{{ script }} {{ question }} {{ text }}'\n"
    assert sent(prompt, {"question": "为什么？"}, text="water")[0] == "han 为什么？ water"


def test_an_option_comes_before_a_circumstance_of_its_name() -> None:
    prompt = "description: x\noptions: {format: {default: short}}\nsystem: '{{ format }} {{ earlier }}'\n"
    assert sent(prompt, format="json", earlier=True)[0] == "short True"
    assert sent(prompt, {"format": "long"}, format="json")[0] == "long"
