from pipeline.figures.canvas import short, width
from pipeline.figures.svg import INK, alone, inlined, tidy

RAW = f"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1">
 <metadata>when</metadata>
 <defs><style type="text/css">*{{x: y}}</style></defs>
 <g id="figure_1"><defs><path id="m1" d="M 0.123456 1 "/></defs>
  <g clip-path="url(#p1)">
   <use xlink:href="#m1" x="1.23456" y="2" style="fill: {INK}"/>
   <use xlink:href="#m1" x="3" y="4" style="fill: {INK}"/>
  </g>
  <text style="font-size: 9px; font-family: 'DejaVu Sans'; fill: {INK}">0.123456 url(#m1) #010203 &lt;g id="x"</text>
 </g>
 <defs><clipPath id="p1"/></defs>
</svg>"""  # noqa: E501


def test_tidy_rounds_renames_and_leaves_text_alone() -> None:
    text = tidy(RAW, "a-b")
    assert '<path id="a-b-0" d="M 0.12 1 "/>' in text
    assert '<g clip-path="url(#a-b-1)" style=' in text
    assert text.count("style=") == 2  # that of the group, and that of the text
    assert '<use href="#a-b-0" x="1.23" y="2"/>' in text
    assert '<clipPath id="a-b-1"/>' in text
    assert '>0.123456 url(#m1) #010203 &lt;g id="x"</text>' in text
    assert "metadata" not in text
    assert "figure_1" not in text


def test_the_ids_do_not_depend_on_those_of_matplotlib() -> None:
    assert tidy(RAW.replace("m1", "m9f").replace("p1", "pc0"), "a").replace("m9f", "m1") == tidy(
        RAW, "a"
    )


def test_a_picture_takes_the_colour_of_the_page_or_is_black() -> None:
    text = tidy(RAW, "a")
    assert "currentColor" in inlined(text, "found <1> & 'more'")
    assert 'aria-label="found &lt;1&gt; &amp; &#x27;more&#x27;"' in inlined(
        text, "found <1> & 'more'"
    )
    assert "#000000" in alone(text, "found")
    assert f"fill: {INK}" not in alone(text, "found") + inlined(text, "found")


def test_a_label_is_cut_to_its_width() -> None:
    assert short("area", 10) == "area"
    assert short("a\nb\x07c", 10) == "a b c"
    assert width(short("x" * 99, 10), 1) <= 10
    assert width(short("面" * 99, 10), 1) <= 10
    assert short("customer_stays", 6) != short("customer_leaves", 6)  # ends tell names apart
    assert "…" in short("面" * 99, 10)
