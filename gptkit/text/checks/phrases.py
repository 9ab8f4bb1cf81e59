"""What models say in place of a text that they were to work on, before it, or behind it."""

from __future__ import annotations

import re


def _any(patterns: str, before: str = "") -> re.Pattern[str]:
    """One pattern of those of all lines; a backslash at the end of a line continues a pattern in the next."""
    lines = re.sub(r"\\\n\s*", "", patterns).split("\n")
    return re.compile(f"{before}(?:{'|'.join(filter(None, map(str.strip, lines)))})", re.IGNORECASE)


REFUSAL = _any(r"""
    \bI(?:['’]?m| am) (?:very |really |so )?sorry,? (?:but|I)\b|\bI apologi[sz]e,? but\b
    \bI(?: can(?:no|['’]?)t|(?: am|['’]m) (?:unable|not able) to| (?:wo|will |do)n['’]?o?t| must decline to)\
        \b[^.]{0,30}\b(?:assist|help|translate|comply|provide|fulfil|proofread|correct|edit|engage|do that|\
        answer)
    \b(?:as an?|I['’]m (?:just )?an?) (?:AI|artificial intelligence|(?:large )?language model)\b
    \bI (?:can(?:no|['’]?)t|am unable to) (?:process|complete|continue|create|generate|discuss)\b
    \bI must decline\b|\bI(?: am|['’]m| do)(?: not|n['’]t)(?: feel)? comfortable\b
    \bagainst my (?:guidelines|programming)\b|\bcontent polic(?:y|ies)\b
    (?:抱歉|对不起|對不起|不好意思)[，,。！].{0,12}(?:我|无法|無法|不能)
    我(?:暂时|暫時|目前)?(?:无法|無法|不能|没法|没有?办法|不便|不会)[^。]{0,12}(?:协助|協助|帮|幫|翻译|翻譯|提供|处理|處理|回答|满足|\
        滿足|完成|继续|校[对對])
    (?:作为|作為|我(?:只)?是)(?:一[个個名]|您的)?(?:AI|人工智[能慧]|(?:大型)?[语語]言模型)
    je suis désolée?,? mais
    je (?:ne peux pas|suis incapable de|ne suis pas en mesure de) (?:vous |y |t['’])?(?:aider|traduire|\
        fournir|répondre|satisfaire|traiter|accéder)
    en tant qu['’](?:IA|intelligence artificielle|assistant)|en tant que modèle de langage
    tut mir leid,? (?:aber|ich|das|dabei)|je refuse de (?:traduire|répondre)
    \bleider kann ich [^.]{0,40}nicht (?:über|helfen|be)
    \bich kann (?:dies|das|dabei|hierbei|Ihnen|dir)[^.]{0,40}nicht
    \bals (?:KI|Sprachmodell)\b
    lo siento,? pero|no puedo (?:ayudar|traducir|proporcionar|cumplir|asistir|procesar|responder)
    como (?:una )?(?:IA|modelo de lenguaje)\b
    mi dispiace,? ma|non posso (?:aiutar|tradurre|fornir|assister|risponder|elaborar)
    (?:desculpe|sinto muito|lamento),? mas
    não posso (?:ajudar|traduzir|fornecer|atender|processar|responder)
    het spijt me,? maar|ik kan [^.]{0,30}niet (?:mee )?(?:helpen|vertalen|verwerken)
    (?:извините|простите),? но
    \bя не могу (?:помочь|перевести|предоставить|выполнить|обработать|ответить)
    申し訳(?:ありません|ございません)[^。]{0,8}(?:が|、)
    (?:お手伝い|翻訳|対応|提供|お応え|お答え)[^。]{0,8}(?:でき(?:ません|かねます)|いたしかねます)
    言語モデル(?:として|なので|です)
    죄송(?:합니다|하지만)|(?:도와|번역|제공|처리|답변)[^.]{0,8}(?:수 없|드릴 수 없|어렵습니다)
    przykro mi,? ale|przepraszam,? ale|nie mogę (?:pomóc|przetłumaczyć|spełnić)
    (?:آسف|عذر[اًا]+|أعتذر)[^.]{0,6}(?:لكن|لا)|لا (?:أستطيع|يمكنني) (?:المساعدة|ترجمة|تقديم|مساعدتك)
    üzgünüm,? (?:ama|ancak|bu)|yardımcı olama|çeviremem
    (?:xin lỗi|rất tiếc),? (?:nhưng )?tôi không thể
    tyvärr kan jag inte|jag är ledsen,? men|jag kan (?:tyvärr )?inte (?:hjälpa|översätta)
    (?:beklager|desværre),? (?:men |kan )?jeg (?:kan )?(?:dess?verre )?ikke
    (?:maaf),? (?:tetapi |tapi )?saya tidak (?:dapat|bisa|boleh)
    (?:вибачте|перепрошую),? але|\bя не можу (?:допомогти|перекласти|надати|виконати|відповісти)
    (?:omlouvám se|je mi l[íi]to|ľutujem),? ale|sajnálom,? de|îmi pare rău,? dar|olen pahoillani,? mutta
    (?:λυπάμαι|συγγνώμη),? αλλά|(?:खेद है|क्षमा करें),? (?:लेकिन|मैं)|(?:ขออภัย|ขอโทษ).{0,12}ไม่สามารถ
    מצטער(?:ת)?,? (?:אבל|אך|אני לא|איני)|متأسفم،? (?:اما|ولی|نمی)
""")
SORRY = _any(r"""
    \bsorry\b|抱歉|对不起|對不起|不好意思|désolé|leid\b|siento|dispiace|desculpe|извин|простит|申し訳
    죄송|آسف|عذر|üzgün|xin lỗi|tyvärr|ledsen|beklager|desværre|\bmaaf|вибач|перепрош|omlouv|l[íi]to\b|ľutuj
    sajnál|pare rău|pahoillani|λυπ|συγγν|खेद|क्षमा|ขออภัย|ขอโทษ|מצטער|متأسف|spijt|przykro|przeprasz
""")
"""What a text itself may say, which is then translated."""
REMARK = _any(r"""
    \b(?:the|this|your) (?:\w+ )?(?:text|sentence|passage|paragraph|input|content|string|document)\
        s?(?: you provided)? (?:is|are|appears?|seems?|looks?|was|contains? no|has no|does not|doesn['’]t)\
        \b[^.]{0,40}\b(?:correct|error|mistake|fine|good|change|already in|translat|incomplete|empty|need|\
        require|contain)
    \bno (?:changes?|corrections?|errors?|mistakes?|edits?|translation)(?: \w+){0,2} (?:needed|necessary|\
        required|found|to (?:make|correct))
    \b(?:there (?:is|are) (?:nothing|no \w+) to|nothing (?:here )?to) (?:translate|correct|proofread|edit|\
        change)
    \bplease (?:provide|share|paste|send|give me)\b[^.]{0,20}\b(?:text|content|sentence|document)
    \b(?:I (?:do not|don['’]t|can['’]?t|cannot) see|you (?:have not|haven['’]t) provided|it (?:looks|\
        seems) like you)\b
    (?:该|此|这|這|這段|这段|您的|你的|原)?(?:文本|文字|句子|文章|[内內]容|段落)\
        [^。]{0,8}(?:[没沒]有?(?:任何)?(?:[错錯][误誤]|[问問][题題])|[无無][误誤]|已(?:[经經])?(?:是|\
        正[确確]|[为為])|[没沒]有需要)
    (?:[无無]需|不需要|[没沒]有(?:[发發][现現])?需要)[^。]{0,6}(?:修改|更改|翻[译譯]|改[动動]|修正|\
        [校][对對])
    [请請](?:您)?提供[^。]{0,10}(?:文本|文字|[内內]容|句子)
    le texte (?:est|ne (?:contient|nécessite|comporte))\b|aucune (?:modification|correction|erreur)
    der text (?:ist|enthält|sieht|scheint)\b
    keine (?:änderung|korrektur|fehler)\w* (?:nötig|notwendig|erforderlich|gefunden)
    el texto (?:ya |no |es |está )
    no (?:hay|se (?:necesitan|requieren)) (?:errores|cambios|correcciones)
    il testo (?:è|non )|nessuna (?:modifica|correzione)|o texto (?:já |não |está )
    nenhuma (?:alteração|correção)
    текст (?:уже|не (?:содержит|требует)|написан)|(?:исправлений|изменений) не требуется|ошибок нет
    (?:修正|翻訳|訂正)(?:する|の)?(?:必要は|箇所は|は)[^。]{0,4}(?:ありません|不要)
    誤りは(?:ありません|見つかりません)
    (?:수정|번역)[^.]{0,8}(?:필요(?:가)? 없|않아도)|오류가 없
""")
PREFACE = _any(
    r"""
    (?:here(?:['’]s| is| are| you go)|below is|this is|the following is|voici|hier (?:ist|sind|folgt|is)|\
        aquí (?:está|tienes?)|esta es|ecco|aqui está|вот|oto)\b[^.,;\n]{0,40}\b(?:translat\w+|correct\w+|\
        proofread\w*|revis\w+|edit\w+|version|text|traduc\w+|texte?o?|testo|tradu[zç]\w+|versi[oó]n\w*|\
        versione|versão|übers\w+|korrig\w+|fassung|vertaling|tekst\w*|перев\w+|исправл\w+|tłumacz\w+|\
        poprawi\w+)
    (?:\w+ ){0,2}(?:translation|(?:translated|corrected|revised|edited|proofread) (?:text|version)|\
        traduction|traducción|traduzione|tradução|übersetzung|vertaling|översättning|перевод|tłumaczenie|\
        tercüme|texte corrigé|texto corregido|testo corretto|korrigierter text|исправленный текст)\
        (?: \(?[^\W\d]+\)?){0,2}\s*[:：](?=\s|$|\*)
    (?:以下|下面|如下|[这這])(?:是|[为為])[^。\n]{0,14}(?:翻[译譯]|[译譯]文|校[对對]|修[改正]|版本)
    (?:[\u4e00-\u9fff]{0,4}翻[译譯]|[译譯]文|(?:校[对對]|修改|改正)[后後]的?(?:文本)?)\w{0,4}[:：]
    (?:以下|こちら|次)(?:が|は|に)[^。\n]{0,14}(?:翻訳|訳文?|修正|校正)
    (?:日本語)?(?:翻訳|訳文?|修正後)\s*[:：]
    (?:다음은|아래는|여기)[^.\n]{0,16}(?:번역|수정|교정)|번역\w*\s*[:：]|إليك الترجمة|الترجمة\s*:
    işte çeviri|çeviri\s*:
""",
    before=r"\W*",
)
YES = _any(
    r"""
    (?:sure|certainly|of course|absolutely|okay|got it|no problem|here you go)\b[^\n]{0,20}[!,.:]
    (?:好的|[当當]然(?:可以)?|[没沒][问問][题題])[，,！!。：]
    (?:bien sûr|certainement|gerne|natürlich|selbstverständlich)[!,.]
    (?:claro|por supuesto|certo|certamente|конечно|разумеется|はい|もちろんです?|네|물론(?:이죠|입니다)?)\
        [!,.、。！:]
""",
    before=r"\W*",
)
"""How models begin to answer; a text may begin like that itself."""
AFTERWORD = _any(
    r"""
    (?:translator['’]?s? )?note(?:s)?(?: (?:on|from|by) [^:\n]{1,40})?\s*[:：]|disclaimer\s*:
    explanation\s*:|changes(?: made)?\s*:
    (?:machine[- ])?translated (?:by|with|using|from)\b|translation (?:by|note)
    end of (?:the )?(?:translation|text)
    (?:please )?let me know\b|feel free to|i hope (?:this|that) helps|is there anything else
    would you like me
    please note that (?:i|this|the) (?:have|translat|text)
    (?:this|the above) (?:translation|version|is (?:the|a) (?:translat|correct))
    i(?:['’]ve| have)? (?:kept|translated|left|corrected|changed|preserved|made|fixed)\b
    (?:[译譯]者?[注註]|[注註]|[备備][注註]|[说說]明|翻[译譯][说說]明|修改[说說]明)\s*[:：]
    由[^。\n]{0,10}(?:翻[译譯]|AI)|(?:机器|機器|人工智[能慧]|AI)翻[译譯]
    希望[^。\n]{0,10}[帮幫]助|如(?:有|果|需)[^。\n]{0,14}(?:需要|[问問][题題]|[疑][问問]|修改)
    以上(?:是|[为為]|就是)?[^。\n]{0,8}(?:翻[译譯]|[译譯]文)|[请請]告[诉訴知]我
    (?:remarque|note)(?: du traducteur)?\s*:|traduit par|n['’]hésitez pas|j['’]espère que
    (?:hinweis|anmerkung)(?: des übersetzers)?\s*:|übersetzt (?:von|mit|durch)|ich hoffe
    lassen sie mich wissen
    nota(?: del? traductor| del traduttore| do tradutor)?\s*:|traducido (?:por|con)|tradotto (?:da|con)
    traduzido (?:por|com)|espero que
    примечание(?: переводчика)?\s*:|переведено|надеюсь
    (?:翻訳者?)?(?:注|注記|備考)\s*[:：]|AIによる翻訳|(?:お役に立て|ご不明な点)|참고\s*[:：]
    번역(?:됨|했습니다)|도움이 되
""",
    before=r"[\W_]*",
)
BREAKS_OFF = re.compile(
    r"(?:[,;:(\[（「『《“‘、，；：/+&–—-]|\b(?:the|a|an|and|or|of|to|with|for|in|is|le|la|les|des|et|ou|de|du|un|une"
    r"|der|die|das|und|oder|mit|von|el|los|las|y|con|il|che|e|o|os|as|и|в|на|с|не|что|w|na|ve)"
    r"|[的和与與及或在把被将將是])\s*$",
    re.IGNORECASE,
)
"""How no text ends that is whole."""
