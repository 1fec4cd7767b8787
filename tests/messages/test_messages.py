"""What `make check` says of the messages in the code and of the catalogues."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.language.offered import Languages
from connector.language.po import read
from tests.messages.__main__ import FOLDER, check, update
from tests.messages.checking import faults
from tests.messages.collecting import Message, catalogue, in_python, in_template
from tests.messages.pseudo import CLOSES, OPENS, pseudo, write_catalogue

HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


def messages(source: str) -> list[Message | str]:
    return [one.message or one.fault for one in in_python(source, "a.py")]


def wrong(tmp_path: Path, code: str, entries: str) -> list[str]:
    path = tmp_path / "de.po"
    path.write_text(HEAD + entries, encoding="utf-8")
    return list(faults(catalogue(in_python(code, "a.py")), read(path)))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('language.say("Hello")', Message("Hello")),
        ('language.say("Hello " "%(name)s", name=name)', Message("Hello %(name)s")),
        ('language.say_n("%(n)s time", "%(n)s times", n)', Message("%(n)s time", plural="%(n)s times")),
        ('language.say_as("place", "online")', Message("online", context="place")),
        ('NAMES = {1: marked("the booking")}', Message("the booking")),
    ],
)
def test_literal_of_a_call_that_says_something_is_a_message(code: str, message: Message) -> None:
    assert messages(code) == [message]


def test_either_literal_of_a_choice_is_a_message() -> None:
    assert messages('language.say("one" if x else "two")') == [Message("one"), Message("two")]


@pytest.mark.parametrize(
    "said",
    [
        "NAMES[kind]",
        "NAMES.get(kind, OTHER)",
        "OTHER if x else 'Hi'",
        "LETTERS[kind]",
        "self.button",
        "fault.who",
        "chosen",
        "first if x else second",
        "word",
    ],
)
def test_what_is_said_may_be_marked_elsewhere(said: str) -> None:
    code = f"""
NAMES: Mapping[str, str] = {{1: marked("one")}}
OTHER = marked("other")
class Door:
    button = marked("open")
def tell(kind):
    chosen = NAMES.get(kind) or OTHER
    if kind:
        first, second = marked("two"), OTHER
    else:
        first, second = OTHER, OTHER
    language.say({said})
    return [teller.say(word) for key, word in NAMES.items()]
"""
    assert [told for told in messages(code) if isinstance(told, str)] == []


@pytest.mark.parametrize(
    "made",
    [
        "f'Hello {name}'",
        "'Hello ' + name",
        "'Hello %s' % name",
        "'Hello {}'.format(name)",
        "TEMPLATE.format(name)",
        "' '.join(parts)",
        "separator.join(parts)",
        "text := f'Hello {name}'",
        "name or 'Nobody'",
        "{1: 'One'}[n]",
        "('One', 'Two')[n]",
        "'Hello' if x else f'Bye {name}'",
        "name",
        "text",
        "NAMES[n]",
        "circular",
        "HELLO",
    ],
)
def test_text_that_nobody_can_collect_where_a_message_belongs_is_a_fault(made: str) -> None:
    code = f"""
HELLO = "Hello"
def tell(name, NAMES, x):
    text = f"Hello {{name}}"
    circular = circular
    language.say({made})
"""
    [fault] = [told for told in messages(code) if isinstance(told, str)]

    assert "so nobody can translate it" in fault


@pytest.mark.parametrize(
    "call", ["Sentence(f'{x} is gone')", "Sentence.of(f'{x} is gone', {})", "RuleError(words, code='a')"]
)
def test_what_a_refusal_says_is_a_message_too(call: str) -> None:
    assert ["nobody can translate" in str(told) for told in messages(call)] == [True]


def test_sentence_of_gathered_values_is_a_message() -> None:
    assert messages("Sentence.of('Hi %(name)s', values)") == [Message("Hi %(name)s")]


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ('language.say("Hi %(name)s")', "name is not filled in"),
        ('language.say("Hi %(name)s", nome=x)', "name is not filled in"),
        ('language.say("Hi %(name)s", name=x, more=x)', "more is filled in nowhere"),
        ('language.say_n("One %(of)s", "%(n)s of them", n)', "of is not filled in"),
        ('RuleError("Hi %(name)s.", code="a")', "name is not filled in"),
        ('RuleError("Hi %(code)s.", code="a")', "code is not filled in"),
        ('Sentence("%(n)s times", n=3)', "n is not filled in"),
        ('error.adding("Add %(option)s.")', "option is not filled in"),
        ('language.say("Hi %(name)s", name=f"the {x}")', "put together in English"),
    ],
)
def test_message_is_given_what_fills_it_in(call: str, fault: str) -> None:
    assert any(fault in str(told) for told in messages(call))


@pytest.mark.parametrize(
    "call",
    [
        'language.say("Hi %(name)s", **values)',
        'language.say("Hi %(name)s" if x else "Hi", name=x)',
        'language.say("%(n)s things", n=3)',
        'RuleError("%(n)s of %(all)s", plural="%(n)s of %(all)s", n=n, all=x, code="a", field="b")',
        'ConflictError("Hi.", code="a", key="k")',
        'language.say("Hi %(name)s", name=f"{a}/{b}")',
    ],
)
def test_message_that_is_given_what_fills_it_in_is_right(call: str) -> None:
    assert [told for told in messages(call) if isinstance(told, str)] == []


@pytest.mark.parametrize(
    "code",
    [
        'flash("Saved it", "done")',
        'flash(f"Saved {x}", "done")',
        "tell = language.say",
        "class GoneError(NotFoundError):\n    pass",
    ],
)
def test_words_that_reach_a_person_unseen_are_a_fault(code: str) -> None:
    assert len(messages(code)) == 1
    assert messages('flash(speaking.say("Saved"), "done")\nflash(done)') == [Message("Saved")]


@pytest.mark.parametrize("kind", ["RefusedError", "TransientError", "UnreachableError", "NotSentError"])
def test_failure_of_somebody_elses_server_that_is_said_in_no_language_is_a_fault(kind: str) -> None:
    for made in ('"gone"', 'f"{name} is gone"'):
        [fault] = messages(f"raise {kind}({made})")
        assert "in no language" in fault

    assert messages(f'raise {kind}(Sentence("gone"))') == [Message("gone")]


def test_page_says_its_messages() -> None:
    page = """<p>{% trans name=person.name %}Hello
      {{ name }}, 100 % yours{% endtrans %}</p> {{ pgettext("place", "online") }} {{ _("Back") }}
      {% trans n=3 %}{{ n }} time{% pluralize %}{{ n }} times{% endtrans %}"""

    assert [one.message for one in in_template(page, "a.html")] == [
        Message("Hello %(name)s, 100 %% yours"),
        Message("online", context="place"),
        Message("Back"),
        Message("%(n)s time", plural="%(n)s times"),
    ]


@pytest.mark.parametrize(
    "page",
    [
        "<p>Hello there</p>",
        "<p>{% if x %}Hello{% endif %}</p>",
        "<p>{{ _('Hello') }} there</p>",
        '<p>{{ "Hello" if x else "No" }}</p>',
        '<p>{{ when or "never" }}</p>',
        '<p>{{ when|default("never") }}</p>',
        '<p>{{ count ~ " times" }}</p>',
        '{{ "Hello %s"|format(name) }}',
        '{{ card(title="Hello there") }}',
        '{% set title = "Hello" %}{{ title }}',
        "{% set title %}Hello{% endset %}",
        '{{ _("Hello %(who)s", who="the client") }}',
        '<input placeholder="Your name">',
        '<a aria-label="Close {{ name }}">x</a>',
        '<input type="submit" value="Go on">',
    ],
)
def test_page_that_says_something_without_a_message_is_told(page: str) -> None:
    faults = [one.fault for one in in_template(f"<!doctype html>\n{page}", "a.html") if one.fault]

    assert [fault.partition("” is said in ")[2] for fault in faults] == ["no language"]


def test_text_is_told_with_its_line() -> None:
    page = "{% if x %}\n<p>\n\n  Hello\n</p>\n{% endif %}\n<p>{{\n  'there' if x }}</p>"

    assert [one.line for one in in_template(page, "a.html")] == [4, 8]


@pytest.mark.parametrize(
    "page",
    [
        '<a class="{{ "open" if x }} wide" href="/x/y" id="some">{{ name }} · 10&nbsp;%</a>',
        '<style>p { color: red }</style><script>var hello = "Hello there"</script>',
        '{% if x == "Hello there" %}{{ url_for("sessions.every") }}{% endif %}',
        '{{ {"gone": _("It is gone")}[x] }} {{ _("One" if x else "Two") }}',
        "{% trans times=xs|length %}One time{% pluralize %}{{ times }} times{% endtrans %}",
        "{% trans times=xs|length %}One time{% pluralize %}Several times{% endtrans %}",
        '<input type="hidden" value="go on">',
    ],
)
def test_words_that_nobody_reads_need_no_message(page: str) -> None:
    assert [one.fault for one in in_template(page, "a.html") if one.fault] == []


@pytest.mark.parametrize(
    "letter",
    [
        "{% if x %}Hello there{% endif %}",
        "{% if x %}{% trans %}Hello{% endtrans %}{% endif %} and goodbye",
        "> When: tomorrow",
        '> When: {{ when or "never" }}',
        "> Run: pencilled doctor Now",
    ],
)
def test_letter_that_says_something_without_a_message_is_told(letter: str) -> None:
    found = list(in_template(f"Subject: Hi\n\n# Hello\n\n{letter}\n\n[Open](/ask) and on\n", "a.txt"))

    assert [(one.line, one.fault.partition("” is said in ")[2]) for one in found if one.fault] == [(5, "no language")]


def test_command_in_a_letter_needs_no_message() -> None:
    assert [one for one in in_template("Subject: Hi\n\n> Run: pencilled doctor --all", "a.txt") if one.fault] == []


@pytest.mark.parametrize("made", ['_("Hello " ~ name)', "_(name)", 'ngettext("One", many, 3)', "_(names[x])"])
def test_message_of_a_page_that_nobody_can_collect_is_told(made: str) -> None:
    assert any("no literal" in one.fault for one in in_template(f"{{{{ {made} }}}}", "a.html"))


@pytest.mark.parametrize("filled", ["", ", nome=x", ", name=x, more=x"])
def test_message_of_a_page_is_given_what_fills_it_in(filled: str) -> None:
    assert any("fille" in one.fault for one in in_template(f'{{{{ _("Hello %(name)s"{filled}) }}}}', "a.html"))


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ("", "is missing"),
        ('msgid "Hello %(name)s"\nmsgstr ""', "is missing"),
        ('msgid "Hello %(name)s"\nmsgstr "Hallo %(name)s"\n\nmsgid "Gone"\nmsgstr "Fort"', "is stale"),
        ('msgid "Hello %(name)s"\nmsgstr "Hallo %(name)s"\n\n#~ msgid "Gone"\n#~ msgstr "Fort"', "is stale"),
        ('#, fuzzy\nmsgid "Hello %(name)s"\nmsgstr "Hallo %(name)s"', "is marked fuzzy"),
        ('msgid "Hello %(name)s"\nmsgstr "Hallo %(nome)s"', "fills in nome instead of name"),
        ('msgid "Hello %(name)s"\nmsgstr "Hallo"', "does not fill in name"),
        ('msgid "Hello %(name)s"\nmsgstr "Hallo %(name)s, 50 % mehr"', "percent sign"),
        ('msgid "Hello %(name)s"\nmsgstr "Hallo %(name)s 50 %"', "percent sign"),
        ('msgid "Hello %(name)s"\nmsgstr "Hallo <b>%(name)s</b>"', "other tags"),
        ('msgid "Hello %(name)s"\nmsgstr "Hallo {{ name }} %(name)s"', "other tags"),
        ('msgid "Hello %(name)s"\nmsgstr " Hallo %(name)s"', "other blanks"),
    ],
)
def test_fault_of_a_catalogue_is_told(tmp_path: Path, entries: str, fault: str) -> None:
    told = wrong(tmp_path, 'language.say("Hello %(name)s", name=name)', entries)

    assert any(fault in one for one in told), told
    assert wrong(tmp_path, 'language.say("Hi")', 'msgid "Hi"\nmsgstr "Hallo"') == []


@pytest.mark.parametrize("english", ["%(n)s % of it", "50 % of it"])
def test_bare_percent_sign_in_the_english_is_a_fault(tmp_path: Path, english: str) -> None:
    entries = f'msgid "{english}"\nmsgstr "{english.replace(" % ", " %% ")}"'

    assert any("the English has a percent" in one for one in wrong(tmp_path, f'say("{english}", n=n)', entries))


@pytest.mark.parametrize("forms", ['"Eine Zeit"\nmsgstr[1] "%(n)s Zeiten"', '"%(n)s Zeit"\nmsgstr[1] "%(n)s Zeiten"'])
def test_one_may_be_told_without_its_number(tmp_path: Path, forms: str) -> None:
    entries = f'msgid "One time"\nmsgid_plural "%(n)s times"\nmsgstr[0] {forms}'

    assert wrong(tmp_path, 'say_n("One time", "%(n)s times", n)', entries) == []


def test_plural_needs_every_form_of_the_language(tmp_path: Path) -> None:
    entries = 'msgid "One time"\nmsgid_plural "%(n)s times"\nmsgstr[0] "Eine Zeit"'

    assert wrong(tmp_path, 'say_n("One time", "%(n)s times", n)', entries)


@pytest.mark.parametrize(
    ("english", "translation", "fault"),
    [
        ("a <b>c</b>", "a </b>c<b>", "breaks the page"),
        ("a & b", "a &amp; b", "other tags"),
        ("a", "\u202ea", "turns what follows"),
        ("a\\n\\nb", "a b", "other lines"),
    ],
)
def test_translation_that_would_break_what_is_around_it_is_told(
    tmp_path: Path, english: str, translation: str, fault: str
) -> None:
    told = wrong(tmp_path, f'say("{english}")', f'msgid "{english}"\nmsgstr "{translation}"')

    assert any(fault in one for one in told), told


def test_every_form_names_what_is_not_counted(tmp_path: Path) -> None:
    entries = 'msgid "%(of)s has one"\nmsgid_plural "%(of)s has %(n)s"\nmsgstr[0] "hat eins"\nmsgstr[1] "%(of)s: %(n)s"'

    [told] = wrong(tmp_path, 'say_n("%(of)s has one", "%(of)s has %(n)s", n, of=x)', entries)
    assert "“hat eins” does not fill in of" in told


def test_form_for_several_numbers_tells_which(tmp_path: Path) -> None:
    path = tmp_path / "fr.po"  # where nothing is said as one is
    path.write_text(
        f'{HEAD}msgid "One time"\nmsgid_plural "%(n)s times"\nmsgstr[0] "Une fois"\nmsgstr[1] "%(n)s fois"\n',
        encoding="utf-8",
    )

    [told] = faults(catalogue(in_python('say_n("One time", "%(n)s times", n)', "a.py")), read(path))
    assert "“Une fois” does not fill in n" in told


def test_plural_rule_of_another_language_is_told(tmp_path: Path) -> None:
    path = tmp_path / "de.po"
    path.write_text(HEAD.rstrip() + '\n"Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n', encoding="utf-8")

    [told] = faults(catalogue([]), read(path))
    assert "nplurals=2; plural=(n != 1);" in told


def test_check_names_the_file_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "connector").mkdir()
    (tmp_path / "connector" / "a.py").write_text('say(f"Hello {name}")\nsay("Hi")\n')
    (tmp_path / "de.po").write_text(HEAD)

    assert check(tmp_path, tmp_path) == 1
    told = capsys.readouterr().out
    assert "connector/a.py:1: " in told
    assert "de.po: “Hi”: is missing" in told


def test_new_language_begins_with_every_message_and_nothing_said(tmp_path: Path) -> None:
    update(tmp_path, ["pl"])

    begun = read(tmp_path / "pl.po")
    assert len(begun) > 1
    assert {form for one in begun if one.id for form in one.string or ()} <= {""}
    assert begun.num_plurals > 2


def test_catalogue_that_is_brought_up_twice_does_not_change(tmp_path: Path) -> None:
    update(tmp_path, ["de"])
    once = (tmp_path / "de.po").read_bytes()
    update(tmp_path, [])

    assert (tmp_path / "de.po").read_bytes() == once


def test_language_nobody_speaks_says_everything(tmp_path: Path) -> None:
    write_catalogue(tmp_path)
    said = Languages(("ar",), tmp_path).of("ar")

    assert said.direction == "rtl"
    assert said.say("local time in %(city)s", city="Kyiv").startswith(OPENS)
    assert "Kyiv" in said.say("local time in %(city)s", city="Kyiv")
    assert pseudo("<b>Hi</b> %(n)s &amp; %%").count("%(n)s") == 1
    assert len(pseudo("an hour or two")) > len("an hour or two")
    assert pseudo("x").endswith(CLOSES)


def test_no_client_is_sent_to_somebody_without_an_address_or_a_way() -> None:
    bare = re.compile(r"(please|or) contact |contact (your|the person|%\(practitioner\)s)", re.IGNORECASE)
    said = [str(message.id) for message in read(FOLDER / "de.po") if message.id]
    assert len(said) > 2000
    assert [one for one in said if bare.search(one)] == []
