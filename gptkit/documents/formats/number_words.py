"""What numbers, scales, months, halves, minus and percent are called in many languages.

A line is a number and words for it; a word that ends in a hyphen may go on, `_` stands for a space, and what
has `@` and a language behind it is meant so in that language alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from unicodedata import normalize

WORDS = """
0 nonzero- ненулев-
2 двух- dwu-
3 трех- трёх- trój-
4 четырех- четырёх-
16 hex hexa
0 zero- null- nul- нул- нуль- sıfır- nolla- nulov- zerow- μηδέν
2 binary binair- binär- binaire- binari- binär двоичн- двійков- ikili dvojkov- multiple several plusieurs
8 octal- oktal- octaal octale ottal- восьмеричн- вісімков- ósemkow- osmičkov- sekizli
10 decimal- dezimal- décimal- десятичн- десятков- dziesiętn-
16 hexadecimal- hexadezimal- hexadécimal- esadecimal- hexadecimaal шестнадцатеричн- шістнадцятков-
16 szesnastkow-
16 hexadesimal- heksadesimal- onaltılı hexadecimál-
0 zero zéro null
0 cero nul noll ноль нуля zera sıfır
1 one a an once single first un une ein eine einen einem einer eines eins einmal erst- einzig- premier-
1 première- uno una primer- solo sola solos um uma único única primeir- primo prima primi prime één een
1 eerst- eenmaal en ett först- jeden jedna jedno jednej jednego jednym jedną pierwsz- один одна одно одного
1 одной одну одним одном перв- bir biri birinci ilk một nhất đầu each every per ein- jede- chaque cada jedné
1 et@da egy egyik yksi yhden перша satu pertama unu unul ένα ένας μία μια yek
2 two second twice double doubled couple pair both deux deuxième- dos@es segundo segunda doble zwei- zweit-
2 doppel- doppelt- beid- paar due@it secondo seconda doppi- dois duas dobro duplo twee- tweede- dubbel- två
2 andra dubbel dwa dwie dwaj dwóch dwu dwoma dwoje drugi drugie drugiego druga drugą drugim drugiej podwój-
2 два две двух двум двумя втор- дваж- двое вдвое iki- ikinci çift hai@vi nhì gấp other to@da anden andet
2 dva dvě dvou dvěma druh- két kettő második kaksi kahden toinen дві двох друг- dua kedua doi două δύο δυο
2 δεύτερ-
3 three third- thrice triple trois troisième- drei- dritt- tres tercer- tercio tercios tre terzo terza terzi
3 três terceir- terço terços drie- derd- tredje- tredjedel- trzy trzech trzem trzema troje trzeci- trzykrot-
3 три трёх трех трём трем тремя трет- трое триж- втрое üç üçü üçte üçüncü- ba@vi tredje tři tří třem třet-
3 három harmad- kolme kolmen трьох tiga ketiga trei τρία τρεις τριών τρίτ-
4 four- fourth- quatre quatrième- vier- viert- cuatro cuarto cuarta quattro quarto quarta quarti quarte
4 quatro vierd- fyra fjärd- cztery czterech czterem czterema czwart- четыре- четырёх четырех четырьмя
4 четверт- четверо dört- dörd- bốn tư fire@da fjerde čtyři čtyř- čtvrt- négy negyed- neljä neljän чотири
4 чотирьох empat keempat patru τέσσερα τέσσερις τεσσάρων τέταρτ-
5 five fifth- cinq cinquième- fünf- cinco quint- cinque quinto vijf- vijfd- fem femte- pięć pięciu pięcioma
5 piąt- пять пяти пятью пят- beş- năm lăm pět pěti pát- öt@hu ötöd- viisi viiden lima kelima cinci πέντε
5 πέμπτ-
6 six sixth- sixième- sechs- seis sext- sei@it sesto sesta zes zesde- sex@sv sjätt- sześć sześciu szóst-
6 шесть шести шест- altı altıncı- altıda sáu seks sjette šest šesti šest- hat@hu hatod- kuusi kuuden шість
6 enam keenam șase έξι έκτ-
7 seven seventh- sept septième- sieben- siebt- siete séptim- sette settim- sete sétim- zeven- zevend- sju
7 sjund- siedem siedmi- siódm- семь семи седьм- yedi- bảy syv syvende sedm sedmi sedm- hét@hu heted-
7 seitsemän сім сьом- tujuh ketujuh șapte επτά εφτά έβδομ-
8 eight- eighth- huit huitième- acht- ocho octav- otto ottav- oito oitav- åtta åttond- osiem ośmi- ósm-
8 восемь восьми восьм- sekiz- tám otte ottende osm osmi osm- nyolc nyolcad- kahdeksan вісім delapan
8 kedelapan opt οκτώ οχτώ όγδο-
9 nine ninth- neuf neuvième- neun- nueve noven- nove nono nona negen- negend- nio nionde- dziewięć
9 dziewięci- dziewiąt- девять девяти девят- dokuz- chín ni@da niende devět devíti devát- kilenc kilenced-
9 yhdeksän sembilan kesembilan nouă εννέα εννιά ένατ-
10 ten@en tenth- dix dixième- zehn- diez décim- dieci decim- dez tien tiend- tio tionde- dziesięć dziesięciu
10 dziesiąt- десять десяти десят- onuncu mười ti@da tiende deset deseti desát- tíz@hu tized- kymmenen
10 sepuluh kesepuluh zece δέκα δέκατ-
11 eleven- onze onzième- elf@de elft- once@es undici undicesim- elfd- elva elfte- jedenast- одиннадцат-
11 onbir- elleve jedenáct- tizenegy- yksitoista одинадцят- sebelas unsprezece έντεκα
12 twelve twelfth- dozen- douze douzième- zwölf- zwölft- doce docena- dodici dodicesim- doze dúzia- twaalf-
12 twaalfd- tolv tolft- dwanaś- dwunast- двенадцат- dvanáct- tizenkét- tizenkettő kaksitoista дванадцят-
12 doisprezece δώδεκα
13 thirteen- treize treizième- dreizehn- trece tredici- treze dertien- tretton- trzynaś- trzynast-
13 тринадцат- tretten třináct- tizenhárom
14 fourteen- quatorz- vierzehn- catorc- quattordic- catorze quatorze veertien- fjorton- czternaś- czternast-
14 четырнадцат- fjorten čtrnáct- tizennégy
15 fifteen- quinz- fünfzehn- quince quindic- quinze vijftien- femton- piętnaś- piętnast- пятнадцат- femten
15 patnáct- tizenöt
16 sixteen- seiz- sechzehn- dieciséis sedic- dezesseis dezasseis zestien- sexton- szesnaś- szesnast-
16 шестнадцат- seksten šestnáct- tizenhat
17 seventeen- dix-sept siebzehn- diecisiete diciassett- dezessete zeventien- sjutton- siedemnaś- siedemnast-
17 семнадцат- sytten sedmnáct- tizenhét
18 eighteen- achtzehn- dieciocho diciott- dezoito achttien- arton- osiemnaś- osiemnast- восемнадцат- atten
18 osmnáct- tizennyolc
19 nineteen- neunzehn- diecinueve diciannov- dezenove negentien- nitton- dziewiętnaś- dziewiętnast-
19 девятнадцат- nitten devatenáct- tizenkilenc
20 twenty twent- vingt- zwanzig- veint- venti ventun- ventidue ventitr- ventiquattr- venticinq- ventisei
20 ventisett- ventott- ventinov- ventesim- vigésim- vinte twintig- tjugo- dwadzieś- dwudziest- двадцат-
20 yirmi- tyve tyvende dvacet- dvacát- húsz huszad- huszon- kaksikymmentä двадцят- douăzeci είκοσι
30 thirt- trent- dreißig- treint- trinta dertig- trettio- trzydzieś- trzydziest- тридцат- otuz- tredive
30 třicet- harminc- kolmekymmentä тридцят- τριάντα
40 forty forties fortieth- quarant- vierzig- cuarent- quarenta veertig- fyrtio- czterdzieś- czterdziest-
40 сорок- kırk- fyrre čtyřicet- negyven- neljäkymmentä сорок σαράντα
50 fift- cinquant- fünfzig- cincuent- cinquenta vijftig- femtio- pięćdziesiąt- пятьдесят- пятидесят- elli-
50 halvtreds padesát- ötven- viisikymmentä п'ятдесят πενήντα
60 sixt- soixant- sechzig- sesent- sessant- sessenta zestig- sextio- sześćdziesiąt- шестьдесят- шестидесят-
60 altmış- tres@da šedesát- hatvan- kuusikymmentä шістдесят εξήντα
70 sevent- septant- siebzig- setent- settant- zeventig- sjuttio- siedemdziesiąt- семьдесят- семидесят-
70 yetmiş- halvfjerds sedmdesát- hetven- сімдесят εβδομήντα
80 eighty eightie- huitant- quatre-vingt- achtzig- ochent- ottant- oitent- tachtig- åttio- osiemdziesiąt-
80 восемьдесят- восьмидесят- seksen- firs@da osmdesát- nyolcvan- вісімдесят ογδόντα
90 ninet- nonant- neunzig- novent- negentig- nittio- dziewięćdziesiąt- девяност- doksan- halvfems devadesát-
90 kilencven- дев'яносто ενενήντα
100 hundert- cent cents cento centaine- centinai- centes- cien hundred- honderd- hundra- sto сто сотн- yüz-
100 trăm hundrede- száz- sata sadan ratus seratus sută sute εκατό
200 zweihundert- doscient- duecent- duzent- dwieście двести двухсот
300 trescient- trecent- trezent- trzysta триста трёхсот
500 quinient- quinhent- pięćset пятьсот пятисот
700 setecient- setecent- siedemset семьсот семисот
1000 tausend- thousand- mille mil mila duizend- tusen- tysiąc- тысяч- nghìn ngàn tusind- tisíc- ezer- tuhat
1000 tuhannen тисяч- ribu seribu mie mii χίλια χιλιάδες
1000000 million- millón millon- milhão milhões milione milioni miljoen- miljon- milion- миллион- milyon-
1000000 triệu milió- miljoona- мільйон- juta milioane εκατομμύρι-
1000000000 billion- milliard- miliard- miljard- miljarder миллиард- milyar- tỷ milliárd- miljardi- мільярд-
1000000000 miliar δισεκατομμύρι-
"""
"""Of European languages, Turkish and Vietnamese: cardinals, ordinals, and what tells how often."""
LANGUAGES = """
es el los las que una por
en the of and is was
it il che di gli della sono
sv och är att för som
da og er på til det
vi của là và có không
de der die das und ist den
tr ve için bir bu ile
hu és az egy hogy nem
"""
"""Of which some words for numbers are everyday words elsewhere, and words that tell them by."""
SIGNS = """
0 ศูนย์ शून्य صفر אפס 영 공
1 หนึ่ง แรก เดียว एक पहल واحد أول أحد אחת אחד ראשו 하나 한 첫 ひとつ 初 壹
2 สอง ทั้งคู่ दो दू दोन اثن ثاني ثنان ضعف مرتين שני שתי שתיים כפול פעמיים 두 둘 ふたつ 双 雙 俩
3 תלת สาม तीन तीसर ثلاث ثالث ثلث שלוש שליש 세 셋 석 삼
4 สี่ चार चौथ أربع رابع ربع ארבע רביע רבע 네 넷 넉 사
5 ห้า पाँच पांच पाच خمس خامس חמש חמיש 다섯 오
6 หก छह छः छठ ستة سادس سدس שש ששה שיש 여섯 육
7 เจ็ด सात سبع سابع שבע שביע 일곱 칠
8 แปด आठ ثمان ثامن ثمن שמונ שמינ 여덟 팔
9 เก้า नौ تسع تاسع תשע תשיע 아홉 구
10 สิบ दस عشر عاشر עשר עשיר 열 십
11 สิบเอ็ด ग्यारह 열한 열하나
12 สิบสอง बारह 열두 열둘
15 पंद्रह पन्द्रह
20 ยี่สิบ बीस عشرون عشرين עשרים 스물 스무
30 สามสิบ तीस ثلاثون ثلاثين שלושים 서른
40 สี่สิบ चालीस أربعون أربعين ארבעים 마흔
50 ห้าสิบ पचास خمسون خمسين חמישים 쉰
60 หกสิบ साठ ستون ستين שישים 예순
70 เจ็ดสิบ सत्तर سبعون سبعين שבעים 일흔
80 แปดสิบ अस्सी ثمانون ثمانين שמונים 여든
90 เก้าสิบ नब्बे تسعون تسعين תשעים 아흔
100 ร้อย सौ مائة مئة مئات מאה מאות 백
1000 พัน हज़ार हजार ألف آلاف אלף אלפי 천
"""
"""Of languages that join them to other words or put no spaces between words."""
SCALES = """
10 割 成
100 hundred hundert cent cents cien cientos cento hundra honderd сот 百 백 सौ ร้อย
1000 thousand tausend Tsd. mille mil mila duizend tusen tys tys. tysiąc tysiące tysięcy тыс тыс. тысяча
1000 тысячи тысяч bin nghìn ngàn हज़ार हजार พัน ألف آلاف אלף אלפים 千 천
10000 万 萬 만 หมื่น
100000 lakh lakhs लाख แสน 十万 십만
1000000 million millions Million Millionen Mio. Mio mio millón millones milhão milhões milione milioni mln
1000000 mln. miljoen miljon miljoner milion miliony milionów миллион миллиона миллионов млн млн. milyon
1000000 triệu ล้าน मिलियन مليون ملايين מיליון 百万 百萬 백만 兆
10000000 crore crores करोड़ สิบล้าน 千万 千萬 천만
100000000 亿 億 억 ร้อยล้าน
1000000000 billion billions milliard milliards Milliarde Milliarden Mrd. Mrd mrd md mld mld. bilhão bilhões
1000000000 miliardo miliardi miljard miljarder miliard miliardy miliardów миллиард миллиарда миллиардов млрд
1000000000 млрд. milyar tỷ tỉ พันล้าน अरब مليار مليارات מיליארד bn 十亿 十億 십억
10000000000 百亿 百億 백억
100000000000 千亿 千億 천억 खरब
1000000000000 trillion trillions billón billones biljoen bilioni bilione Billionen trilhão trilhões
1000000000000 trilyon триллион триллиона триллионов трлн трлн. biljon bilion 兆 조 万亿 萬億 تريليون
1000000000 mil_millones mil_milhões mille_millions thousand_million тысяч_миллионов
100000 hundred_thousand cent_mille hunderttausend cien_mil
100000000 hundred_million
100000000000 hundred_billion
1000 tusind tisíc tisíce ezer tuhat tuhatta тисяч тисячі тис. ribu mie mii χιλιάδες
1000000 milión milióny miliony millió miljoona miljoonaa мільйон мільйони мільйонів juta milion milioane
1000000 εκατομμύριο εκατομμύρια
1000000000 miliarda miliardy miliard milliárd miljardi miljardia мільярд мільярди мільярдів miliar miliarde
1000000000 δισεκατομμύριο δισεκατομμύρια δισ.
"""
"""What may stand behind a number."""
MONTHS = """
1 janvier janv january jan januar jänner enero gennaio janeiro januari stycznia styczeń styczniu января
1 январь январе ocak जनवरी يناير كانون_الثاني ינואר มกราคม ม.ค.
2 february feb februar février févr febrero febbraio fevereiro februari lutego luty lutym февраля февраль
2 феврале şubat फ़रवरी फरवरी فبراير شباط פברואר กุมภาพันธ์ ก.พ.
3 march mar märz mars marzo março maart marca marzec marcu марта март марте mart मार्च مارس آذار מרץ มีนาคม
3 มี.ค.
4 april apr avril abril aprile kwietnia kwiecień kwietniu апреля апрель апреле nisan अप्रैल أبريل نيسان
4 אפריל เมษายน เม.ย.
5 may mai mayo maggio maio mei maj maja maju мая май мае mayıs मई مايو أيار מאי พฤษภาคม พ.ค.
6 june jun juni juin junio giugno junho czerwca czerwiec czerwcu июня июнь июне haziran जून يونيو حزيران
6 יוני มิถุนายน มิ.ย.
7 july jul juli juillet julio luglio julho lipca lipiec lipcu июля июль июле temmuz जुलाई يوليو تموز יולי
7 กรกฎาคม ก.ค.
8 august aug août agosto augustus augusti sierpnia sierpień sierpniu августа август августе ağustos अगस्त
8 أغسطس آب אוגוסט สิงหาคม ส.ค.
9 september sep sept septembre septiembre settembre setembro września wrzesień wrześniu сентября сентябрь
9 сентябре eylül सितंबर सितम्बर سبتمبر أيلول ספטמבר กันยายน ก.ย.
10 october oct oktober octobre octubre ottobre outubro października październik październiku октября октябрь
10 октябре ekim अक्टूबर أكتوبر אוקטובר ตุลาคม ต.ค.
11 november nov novembre noviembre novembro listopada listopad listopadzie ноября ноябрь ноябре kasım नवंबर
11 नवम्बर نوفمبر נובמבר พฤศจิกายน พ.ย.
12 december dec dezember décembre déc diciembre dicembre dezembro grudnia grudzień grudniu декабря декабрь
12 декабре aralık दिसंबर दिसम्बर ديسمبر דצמבר ธันวาคม ธ.ค.
"""
DUAL = r"[\u0621-\u064a]{3,}(?:ان|ين)\b|[\u05d0-\u05ea]{2,}יים\b"
"""Words of Arabic and Hebrew in the number that says two by itself."""
HALF = (
    r"\bhal[bfv]|mitad|metade|metà|\bmei[ao]\b|\bmedi[oa]\b|\bmezz[oa]\b|\bdemie?s?\b|moitié|helft|hälft|połow|\bpół"
    r"|wpół|полов|\bпол(?:часа|года|дня|минуты|литра|кило)|yarım|yarıs|buçuk|nửa|rưỡi|आधा|आधे|आधी|साढ़े|نصف|חצי"
    r"|ครึ่ง|半|반|půl|polovi|\bfél\b|felet?\b|puoli|puolet|половин|setengah|separuh|jumătate|μισ[όή]|ήμισι"
)
MORE_THAN_ONE = (
    r"\bmore than on(?:e|ce)\b|\bmehr als ein|\bplus d.une?\b|\bmás de una?\b|больше одно|более одно"
)
"""Two or more, as some languages put it."""
TOWARDS = (
    r"hal[bfv]|wpół|полови|пол[а-я]|viertel|kwart|kvart|quarter|quart|cuarto|без|menos|meno|moins|para as"
)
"""Of hours that are counted by the one to come: half seven, a quarter to seven."""
NOON = (
    r"noon|midday|midnight|midi|minuit|mittag|mitternacht|mezzogiorno|mezzanotte|mediodía|medianoche|meio-dia"
    r"|meia-noite|middag|middernacht|midnatt|południ|północ|полдень|полдня|полудн|полноч|полночь"
    r"|öğle|gece yarısı|trưa|nửa đêm|दोपहर|आधी रात|ظهر|منتصف|צהריים|חצות|เที่ยง|正午|中午|午夜|半夜|정오|자정"
)
QUARTER = (
    r"čtvrt|negyed|neljännes|чверт|seperempat|sfert|τέταρτο|quarter|quart|viert|cuarto|kwart|kvart|kwadrans"
    r"|четверт|çeyrek|चौथाई|सवा|ربع|רבע|刻|四半|mười lăm"
)
AND_A_HALF = (
    r"anderthalb|eineinhalb|anderhalf|anderhalve|półtor|полтор|डेढ़|δυόμισι|ενάμισι|másfél|puolitoista|halvanden"
    r"|halvannan"
)
MINUS = (
    r"minus|moins|menos|meno\b|negativ|négativ|below|sub-?zero|under noll|unter|frost|kallgrad|sous"
    r"|au-dessous|bajo cero|sotto|abaixo|onder nul|минус|ниже|мороз|отрицат|eksi|sıfırın|poniżej|mróz"
    r"|mroz|ujemn|âm|dưới|ลบ|ต่ำกว่า|माइनस|ऋण|शून्य से नीचे|नीचे|सिफर|سالب|تحت|ناقص|מתחת|מינוס|零下|负|負"
    r"|mínusz?|miinus|мінус|нижче|alatt|μείον|κάτω|מתחת|マイナス|氷点下|영하|마이너스|음의"
)
BELOW_ZERO = r"(?:\bminus|\bминус|零下|氷点下|マイナス|영하|마이너스)\s*$"
"""What says before a number in no other sense that it is below zero."""
PERCENT = (
    r"[%％٪‰]|prosent|százalék|відсот|persen|sută|τοις εκατό"
    r"|percent|per cent|prozent|pour ?cent|por ?cien|por ?cento|percento|per ?cento|procent"
    r"|процент|yüzde|phần trăm|प्रतिशत|फ़ीसदी|फीसदी|เปอร์เซ็น|ร้อยละ|المئة|المائة|بالمئة|אחוז"
    r"|百分|パーセント|퍼센트|프로|[割成折]"
)


def rows(table: str) -> Iterator[tuple[float, list[str]]]:
    for line in table.strip().split("\n"):
        value, *names = line.split(" ")
        for form in dict.fromkeys((" ".join(names), normalize("NFC", " ".join(names)))):
            yield float(value), [name.replace("_", " ") for name in form.split(" ")]


@lru_cache(maxsize=16)
def pattern(words: str) -> re.Pattern[str]:
    """Compiled when it is first asked for: most runs never compare numbers."""
    return re.compile(words, re.IGNORECASE)


def either(names: Iterable[str]) -> str:
    """A pattern for any of them, the longest first."""
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
