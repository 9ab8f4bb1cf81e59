"""Numbers in translations: those that are the same, those in doubt, those that are wrong."""

from __future__ import annotations

import pytest

from gptkit.text.checks.numbers import differences

SAME = [
    ("1,500 items, 12,345,678 in all", "1.500 Einträge, 12 345 678 insgesamt"),
    ("1,500 items", "1\u202f500 éléments"),
    ("1,500 items", "1500項目"),
    ("1,500 and 1500.00", "1500 et 1.5 thousand"),
    ("1,50,000 rupees", "150,000 रुपये"),
    ("$4.99, 3.5 %", "4,99 $, 3,5 %"),
    ("In 1914 and 2023", "في ١٩١٤ و٢٠٢٣"),
    ("In 1914 and 2023", "१९१४ और २०२३ में"),
    ("In 1914", "在１９１４年"),
    ("12,000 people", "1.2万人"),
    ("50,000 people", "5万人"),
    ("1.5 million people", "150万人"),
    ("1.2 billion people", "12亿人"),
    ("12,345 people", "1万2345人"),
    ("12,000 people", "約1万2,000人"),
    ("€2,750,000,000", "27億5000万ユーロ"),
    ("1.25 trillion won", "1조 2,500억 원"),
    ("25,000 won", "2만 5천 원"),
    ("5千万", "50 million"),
    ("3.4 billion litres", "3,4 milliards de litres"),
    ("1,200 million", "1,2 Mrd."),
    ("12 लाख लोग", "1.2 million people"),
    ("3 km, 5 MB", "3千米，5兆字节"),
    ("35 people, 120 houses, 3 cats", "三十五人，一百二十座房子，三只猫"),
    ("三十五人，十二万人，二〇二三年", "35 people, 120,000 people, in 2023"),
    ("十五个，一百零五个", "15, 105"),
    ("the 19th century, chapter 3", "le XIXe siècle, chapitre III"),
    ("XIX век", "the 19th century"),
    ("March 5, 2024", "2024年3月5日"),
    ("2024年12月5日", "5 December 2024"),
    ("2024-03-05", "05.03.2024"),
    ("version 2.4.0, 10.04.3", "2.4.0 版，10.04.3"),
    ("15:30", "15.30 Uhr"),
    ("at 3 pm", "à 3 h 00"),
    ("½ cup, 1½ cups", "1/2 tasse, 1 1/2 tasse"),
    ("1/4 cup", "¼杯"),
    ("0.5 g", "½ g"),
    ("Three parts, one lid", "3つの部品と1つのふた"),
    ("call 555-0100", "appelez le 555-0100"),
]
DOUBTFUL = [
    ("3 people", "trois personnes", ["number '3' missing"]),
    ("3 eggs", "4 œufs", ["number '3' missing", "number '4' added"]),
    ("Chapter 3", "第四章", ["number '3' missing"]),
    ("200 people", "300 personnes", ["number '200' missing", "number '300' added"]),
    ("thirty-five people", "35人", ["number '35' added"]),
    ("take 400 mg", "nehmen Sie 4000 mg", ["number '400' became '4000'"]),
    ("50 % off", "5 % de remise", ["number '50' became '5'"]),
    ("120,000 users", "1.2万名用户", ["number '120,000' became '1.2万'"]),
    ("2.3 million", "23万", ["number '2.3 million' became '23万'"]),
    ("12亿人", "12 million people", ["number '12亿' became '12 million'"]),
    ("4.99 dollars", "4.89美元", ["number '4.99' missing", "number '4.89' added"]),
    ("open 24/7", "ouvert 24h/24 et 7j/7", ["number '24' added"]),
    ("open 24/7", "rund um die Uhr", ["number '24' missing", "number '7' missing"]),
    ("15:30", "3:30 pm", ["number '15' missing", "number '3' added"]),
    ("3 pm", "15 h", ["number '3' missing", "number '15' added"]),
    ("the 1980s", "80年代", ["number '1980' missing", "number '80' added"]),
    ("the 1800s", "19世纪", ["number '1800' missing", "number '19' added"]),
    ("19世纪50年代", "the 1850s", ["number '19' missing", "number '50' missing", "number '1850' added"]),
]
WRONG = [
    ("In 1914", "En 1941", ["number '1914' missing"]),
    ("In 1914", "1941年", ["number '1914' missing"]),
    ("In 1914", "في ١٩٤١", ["number '1914' missing"]),
    ("In 1914", "昔、", ["number '1914' missing"]),
    ("35 people", "三十六人", ["number '35' missing"]),
    ("12,345 people", "1万2354人", ["number '12,345' missing"]),
    ("12万5千人", "126,000 people", ["number '12万5千' missing"]),
    ("1,500 items", "1.050 Einträge", ["number '1,500' missing"]),
    ("the 19th century", "XVIIIe siècle", ["number '19' missing"]),
    ("2024-03-25", "26 March 2024", ["number '25' missing"]),
    ("15 and 15", "15", ["number '15' missing"]),
    ("15:30", "16:30", ["number '15' missing"]),
    ("15.30 Uhr", "15.40 Uhr", ["number '15.30' missing"]),
    ("the 1980s", "the 1890s", ["number '1980' missing"]),
    ("9" * 70, "9" * 69 + "8", [f"number '{'9' * 59}…' missing"]),
]


@pytest.mark.parametrize(("source", "answer"), SAME)
def test_the_same_numbers(source: str, answer: str) -> None:
    assert list(differences(source, answer)) == []


@pytest.mark.parametrize(("source", "answer", "messages"), DOUBTFUL)
def test_numbers_in_doubt(source: str, answer: str, messages: list[str]) -> None:
    found = list(differences(source, answer))
    assert [one.message for one in found] == messages
    assert not any(one.is_wrong for one in found)


@pytest.mark.parametrize(("source", "answer", "messages"), WRONG)
def test_wrong_numbers(source: str, answer: str, messages: list[str]) -> None:
    assert [one.message for one in differences(source, answer) if one.is_wrong] == messages


def test_the_place_of_a_number_is_told() -> None:
    assert [one.start for one in differences("15 a 16 b 17", "15 c 17")] == [5]
