"""Documents for the tests of splitting: made at random, and one with every construct of Markdown."""

from __future__ import annotations

import random

from hypothesis import strategies as st

MARKDOWN_LINES = (
    *(
        "# Title",
        "## `x`",
        "Some text here. And more! ok",
        "中文段落。第二句？好",
        "- item",
        "  - nested",
        "    - deep",
    ),
    *(
        "1. one",
        "   goes on",
        "",
        "",
        "",
        "> quoted",
        ">",
        "```",
        "~~~",
        "    code",
        "| a | b |",
        "|---|---|",
    ),
    *(
        "| 1 `c` | two |",
        "[r]: http://x 'ti tle'",
        "[^1]: note words",
        "<div>",
        "<p>hi <b>x</b></p>",
        "</div>",
    ),
    *("<!-- c", "-->", "$$", "\\[", "\\]", "hard  ", "break\\", "===", "---", "***", "+++", "title: x"),
    *('[r] and [t][r] and [Foo](http://u "T t") `c` $x$ {y}', "⟦0⟧ ⟦", "\x00 nul", "\u3000\u3000全角"),
    *("- [ ] task", "tab\tx", "- ```", "  code", "  ```", "<script>", "</script>", "`` un ` closed", "[x]"),
    *("word " * 40, "字" * 50, "no" * 60, "\x0c", "*[A]: b", ":smile: é\u0301 👩\u200d👩\u200d👧"),
)
HTML_PARTS = (
    *("<p>", "</p>", "<b>", "</b>", "text here", "中文。", "\n", "<!-- c -->", "<!-- unclosed ", "<script>"),
    *(
        "</script>",
        "<pre>",
        "</pre>",
        "&amp;",
        "&#12;",
        "&bad",
        "<",
        "< ",
        "<a href='x>y'>",
        '<a href="',
        "</",
    ),
    *("<h2>Title</h2>", "<code>x y</code>", "⟦0⟧", "\r\n", "\r", "<?php ?>", "<![CDATA[ x ]]>", "<!X", '"'),
    *("<svg><text>a</text></svg>", "word " * 30, "字。" * 40, "<br/>", ">", "'"),
)


@st.composite
def markdown(draw: st.DrawFn) -> str:
    ends = draw(st.sampled_from((["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"])))
    lines = draw(st.lists(st.tuples(st.sampled_from(MARKDOWN_LINES), st.sampled_from(ends)), max_size=40))
    text = "".join(line + end for line, end in lines)
    return text if draw(st.booleans()) else text.rstrip("\r\n")


def html() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(HTML_PARTS), max_size=30).map("".join)


def prose(source: random.Random, sentences: int) -> str:
    return " ".join(sentence(source) for _ in range(sentences))


def sentence(source: random.Random) -> str:
    return " ".join(source.choice(WORDS) for _ in range(source.randrange(4, 20))).capitalize() + "."


def chinese(source: random.Random, length: int) -> str:
    """Of the Thousand Character Classic, with commas and full stops."""
    return (
        "".join(
            source.choice(CLASSIC) + source.choice(["", "", "", "", "", "，", "。"]) for _ in range(length)
        )
        + "。"
    )


WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "then", "some", "other")
CLASSIC = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水玉出昆冈"
TAO_TE_CHING = """道可道，非常道；名可名，非常名。无名天地之始；有名万物之母。\
故常无欲，以观其妙；常有欲，以观其徼。此两者同出而异名，同谓之玄。\
玄之又玄，众妙之门。

天下皆知美之为美，斯恶已；皆知善之为善，斯不善已。\
故有无相生，难易相成，长短相形，高下相倾，音声相和，前后相随。是以圣人处无为之事，行不言之教。

　　不尚贤，使民不争；不贵难得之货，使民不为盗；不见可欲，使民心不乱。是以圣人之治，虚其心，实其腹，弱其志，强其骨。
"""
EVERYTHING = """---
title: A page
slug: SECRETfront
---

# First *heading* {#SECRETid}

A paragraph with `SECRETcode`, [a link](https://SECRET.example/path_(x) "a title"), ![an image](SECRET.png),
<https://SECRET.example>, SECRET@example.org, https://SECRET.example/bare, <b class="SECRET">bold</b> and
&nbsp; entities, {SECRETname} {{ SECRET }} %(SECRET)s $SECRET ${SECRET} <SECRET/>, $SECRET^2$, \\(SECRET^2\\).

Second
======

    SECRET indented

```python
SECRET = 1

# SECRET
```

- one [by name][SECRETlabel]
  - two, nested

    ```
    SECRET in a list
    ```
- [ ] a task[^SECRETnote]

1. first
2. second

> quoted
>
>     SECRET in a quotation
>
> - a list in it

| Column | Other |
|:-------|------:|
| cell `SECRET` | text |

$$
SECRET

SECRET
$$

<div class="SECRET">
<p>Words in HTML</p>
</div>

<!-- SECRET

SECRET -->

<script>
SECRET()

SECRET()
</script>

[SECRETlabel]: https://SECRET.example "the title of it"
[^SECRETnote]: The note.

    More of the note.

~~~
SECRET never closed
"""
