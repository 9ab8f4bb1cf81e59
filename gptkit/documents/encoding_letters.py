"""Which letters follow which in European languages, counted over subtitles."""

from __future__ import annotations

# The letters of each group of languages; `_` stands for whatever bounds a word.
LETTERS = {
    "english_german_dutch": "_abcdefghijklmnopqrstuvwxyzßäèéëïöü",
    "nordic": "_abcdefghijklmnopqrstuvwxyzáäåæéíðóõöøúýþ",
    "finnish": "_abcdefghijklmnoprstuvwxyzäö",
    "french": "_abcdefghijklmnopqrstuvwxyzàâçèéêëîïôùûœ",
    "spanish_catalan": "_abcdefghijklmnopqrstuvwxyzàáçèéíïñòóúü",
    "italian": "_abcdefghijklmnopqrstuvwxyzàèéìòù",
    "portuguese": "_abcdefghijklmnopqrstuvwxyzàáâãçéêíóôõú",
    "polish": "_abcdefghijklmnopqrstuvwxyzóąćęłńśźż",
    "czech_slovak": "_abcdefghijklmnopqrstuvwxyzáäéíóôúýčďěľňŕřšťůž",
    "hungarian": "_abcdefghijklmnopqrstuvwxyzáéíóöúüőű",
    "romanian": "_abcdefghijklmnopqrstuvwxyzâãîăşţ",
    "croatian_slovene": "_abcdefghijklmnoprstuvwxyzćčđšž",
    "turkish": "_abcdefghijklmnopqrstuvwxyzâçöüğış",
    "lithuanian": "_abcdefghijklmnoprstuvwxyząčėęįšūųž",
    "latvian": "_abcdefghijklmnoprstuvwxyzâäîùûüāąčđēģīįķļńņŗšūž",
    "estonian": "_abcdefghijklmnopqrstuvwxyzäðõöüš",
}
# One hexadecimal digit for every pair of these letters: the cost in bits of the second after the first.
COSTS = {
    "english_german_dutch": (
        "f4454554445554555a544654d65fbfcffd944555a6566a6353b6d343568969affffdff446ba1b894ac4ba4df4654baf6afaf"
        "fffa964d7b4eb15d46cc3db6956eff8effddffff23a972b8a39a8974be567598f7bfbfefffa2666557664c746297b3447678"
        "78bffdcdff248b6347849a5983af4645a9f98f7fbffb524ae71b655c96a74cf4655baf9afbfeffbb33ada2baa3ea6764de57"
        "35e7f7af7baff79567453647b4555268b534a7dad88fdfafef33ae5266a5c38b347fb7747afe7fafeffea249cb2a984864a5"
        "4bf5545c7f79f9e8ff6833885268a3a738847f955589f5af8feff98336972a9a3ea94945f7665cbf6bf8feff881597348394"
        "a68955bd954699d77faffffcb4766545666b544345d355365a899ffffdef339a9267549a49944f3655aaf79f8feffd957abc"
        "aedc7edcdb7ebccb0edfefffffffff2477437674b666648d644577f67f9eeffa7259493a9549768745ba426a8f8afbfeffca"
        "1598a2a9448a7994bf555697f76f9feff993764555574c6453b6e3347a6b888dfffcff73feb1fff3df7fd3ef5bc8dff9ffcf"
        "bff9f42ac82bc42ca9c63df77a6ecfaff7ffff9724a3b48c73f98ab63adb36b9968ffffffff167884aac6cb77727f8568b8d"
        "fcffffffdf44aa92bba2fb8bc3bfba53b5f87f7ffffa92689919996c8678cafb8397aff7fffffffd9c745a553afc453b9d34"
        "34ffefa8fffffff18a787ba98ba5539bf357a6afbbfe6f9fed18a787d9bb9d67288f677cadfebfff3ffff29bb85cba5cb3a1"
        "acf387b6b6c7ffffffff578734b998ba9619af63598aebbfeffffed9d945b544bfa582d6f2449a8ffd5fefffbfbc236c653e"
        "fc664e8f245fffffe6fffffff"
    ),
    "nordic": (
        "f4474445355554555c635649e9b878988fcf99af82b77596498a5453a6e35465a98beffffe7fcfffff635cb2ffc46f3c84ef"
        "3785ddf5f9777c6fbf776cf53b693d924e25aa4ba6976bfe6efffbbefffeefff349c5198a4897976bf46548af7f9879acfcf"
        "77cef28995964957646398f253a7a97cffffffbfffffff439eb459a46b4a63cf3745aff5f7856899ae45bff24af72a5745b5"
        "965cf56559cf8fb968fcabf77dff42cec2dfb55d6984ff6b943bf7f85667efcf667ff3796557399c436267d444a6fadaedee"
        "fd7fddbfff42ef72cfd7d97d93cf8884fffcf45a6dff8f657ff33bfb2bb94535a64cf56446cf6fa798f9fcf88adf337b4377"
        "a36638857f95556df6d8776a7fcf77bcf23797299939974756f7665adf6f775878fcf77bfe2498338484968a46cf94458de7"
        "b9878cbfdfa98df58655664889543375f255758a9bfcffffcfffffff439b8378649949643f3655aff7f9938b9fef97aff358"
        "da8ba96caaa98c78a809afafedcdeefffddeff147a5366848667559e65568df7e8777989ce879ff3498939a746356655da42"
        "66bf7e975788fdf87bcf13aac39a737a7a75bf56357cf7bc878d8fcf88bef2877577598c5433b5e344c8eacbfffeff9fffef"
        "ff42af729aa2ba7a74cf8788affbfb56596fff7afff3279838943a76854af6678eff6ffdffffffffffff1397c47ba3b95975"
        "5fb9359986dffbff6ffffffff26854554898446376f344a7aafdffdfffafffffff2299b3b773ea68839f79868bc53ffefaff"
        "cfffbff186f996765c5374b7f44367fffffff8ff7fdfffff8fc66c64bee5352f7f154d6f8ffffffffffffffff1c6f56a57cb"
        "65a4f6f254f8ffffffdfffffffffff6e695964b874453d7f243d5fdffffffff7fffffff4bdeb871e8c64b5bdf2747dffefff"
        "ffff8fdfffff277f6947a8d3543b8f6446bffff9ffffa7dcefffd149fa899a38a8b9eff77a37ffffeffffffffffffb478f9a"
        "5577b4354c6f34386fbeffeefff3ffffff714bc96a7a4b97989bf68837efbfdcbcddeffccdff6aba4a54ba64454d6f155c4f"
        "affffffff8fefffff6f6f38759a55454f6f145f4ff5fffffffffffffff158f9b66d4b5563c7f4438afdffefffff8ffffeff4"
        "9bd7886b646552a8f333aaffcfdccdee49fddeffb2ffd2ede37dddc7ff5dc65ff6f5ff645f7f8f37f"
    ),
    "finnish": (
        "f5888499464353544633749e6c7c23a989c96465453b654456cc9dff5349a27f73ae59b3c3694fff5f6f539684f724b34993"
        "c5b66bff5fef53cb72c9b3abab83f79b5b9f5d2936bb64aa64853529844376aa8c7f435fb337e2f948c4e3b86eff5fda43ab"
        "929652f95a639466599f6f7a73ff43ffe4668664f7d347ef4f3925b864ba648445278633a5fccb7a91ffe4eff6dfffe2edfe"
        "3fff9f3a72fff3fec3f49cb3f94a3fff5f4573cd93bd936525d48f9546ff7f47739bf2eff2ffe3f55abf4fdf6f4a15ea84d7"
        "84a59b458a554aff6d4a359a68aa536535365544669caccf82ddd3ff83ef8df447683fff5f3853a974b752547574746454cf"
        "6d5a43cae3ff82d5aab59c4259df6f4a32fcf3ff84d5bdc4c9634def5e37449968ca54843533754336fddcff91ffd4fff2ff"
        "dfd3ffef5fff7f3c3278a38a52e76854a6678eff6fcf13ffd56fc2db8ba58ca47c767f6e38cb59fd458445486532c4bf4f64"
        "22ffd4f863d6bb83879879ff53be1dff98ff5595553b8554e6ff5f3f2aff6fff5465563f6534c8ff3f66"
    ),
    "french": (
        "f45444566559445535544649d8b7b7d68fdfeffc3b656a8582a9453a5834444aa7affafbfe8bffff637ba3ffc38f2bd3ff36"
        "85cef7ef8fa58fbfffbc34d5c3eb34f75cc2db4855dff9ffbf86dfff8ffa34dc82c9b3bcb994ff45b4baf8efff93ff9fef8f"
        "17a68988a7bb553a8b33547a795ffbffffffffff529ee33bf3fd5ce3df47a5fffbff9f857fffffbd43ceb2b774fd5834bf37"
        "64fbf8ff7f749fdfffff32bdc2afa4dc8873ef7985dbf7ff9f74cfff7ffd36756376eaca453586433b6f8d9eff77ffffffff"
        "34eed1dff7cffff3dfcec3fffef6fff9ffffffff23adf2b873b866759f6586f8f5fffff8ffffffff33a982aaa4fb38b4a7d6"
        "74aef7e69f75efffafef425ae2fed4ffa4934fa9b6fdf8ffbf756fffcfdf25c54365a5999e54f793267ed9bffab6afffcffd"
        "6a76788773a8542869455298a6cfffccfbbaf79f62dcc3df65fe4db34f3665fffaffab758fffafff7cfffffcfcffffeffefd"
        "f0ffffffffffffffffbf23965297b4e976648755467df8dfba757fff9fbf14c7b3ad84fab9c468d445dcf9ffffb6ffffff8b"
        "24daf2ee74efacc4ef3554dcf8bfcf959fff9fff36767377947b56466b334f5f5abfffc7affeffff93ffc2fff3ffcfd2cf4d"
        "f6fffbffffa59fffaffc3289939a43f768439f6688fbf7fffffaffffafff15c4f5bfa4ffaff849fd57ccb7ffffd7ffffffff"
        "149673b8e8aa56645f747799bdcfffb5ffffffcf05cff6fca7feadd6cfbcc8cff97fffb8ffffffff0efffdfffeffffeeffee"
        "eeffffffffffffffffff5c61dbe4e9ff445c97a92cdffffffffdffffffff80fefcfffaffefe3ffdde5fffff9ffffffffffff"
        "ae757db5fecf644fc7124f5fffbfffffffffffff26646365a97d56584744386fffdfbbfaffffffffbef5fdfffefd636e9999"
        "0e5fffffffffffffffff48b9a7bbb8bd09889b8868aecccdfedadfffffff9cf5dbefeaff562cdfca1ceffffffffeffffffff"
        "3466335cc9895727b5525768eddeffebefffffff4cfd7bfafcff246c4fcb1cbffffffffeffffffff0becdaeeebefccbcdeab"
        "bcdffffffffdffffffff2cf7daeffcff3a9cdf1a3cefffaffffeffffffff8adb79ddd3dfbb8abda870cfeeefffecffffffff"
    ),
    "spanish_catalan": (
        "f3544356557954554554465987ac9fd7bffebaf2b554986868a44386734576b888ffafe9c8fcbf528ba3eec38e3ad3ef3774"
        "9f98da9f956ff989f52c7c3fc43f76da2dc5854fffae98fa97ffa7af42cd92ebc3bcb9b2fc59b5abe8eb8fa76ffb7af27756"
        "885a58c45377932566b797fdeffbb8fcef629ed27bd2fd5cd3ef4b94fffbf87f986dfa79c52bea4c884ec6963cf3992ebfae"
        "a8f9b8ffe86941acb2ed93db9872ff8b95cbf8fb8fd87ffa9be34644475db8955357844476d5d7bbbb8fc7e5df72eda3efe5"
        "bdddc2cfaec3fefbfa9ff7cfff79b239da3a853a86674af6595b8c5ccbfedafffcff32987396c4eb36b379b5566dc8b98ba8"
        "7ffa8bf424ad2ced3ffc8934fb9b5edf9f86fa67ffb89f23c4447574999873d994366e968bb9ba9ffc99f28655987869a443"
        "86a335679979fffffac8ffff62d8c2de84fe5dc29f3764effbfa7ea99ffa89fabfffdffebfffffdfffff0fffefffffffffff"
        "e923965297b4c965638856467d98976ba66ff88af14a5a39a84fa97b4599636bcfbebafc86ffd79f32cae2e8739f99b3df35"
        "85cc99976f977ffa88f35655286a48a56396b445b8e889b9f666aafcff82fea2ffd2ffcfc3ffbcf6dffbea8fa76ffd8ff328"
        "a838b42f76853bf6577f9f7ffbffffffffff42c6d2bf93ffbcd34bfb54bda9fb8f865ff488f138974bac7aa6863af7595a8f"
        "ebbbfeaefff89f21b6c5f885fe8893c8bba6bdf96e6fcbeffe4ae1c748c76e9ff674d5742585f8ffffffffffffff2d557876"
        "e48f553c68525a8f8aafffffffaffff31ebc9eee9ffc9b3cebbc6effff8fcffaff45ff1c856b68e5ef673b7c43698f7fffff"
        "fdfffffff18866a88f67f563a8e52767f7f9fffffff8ffff22655677febc76459955599f7f8fffffee8ffff454437bdd9ff5"
        "52acd6427df9effeffe87ffeffc1fff3fff8ffffe1ffeeeaffffff5ff76fff8ff1c677c86fdff555c58457e8f6fdffffffff"
        "ffff2a856998f9dd551e8b54798f7ddfffffff9ffff3256569ab9bf35294e635e7f8dafffffffaffff88b6a1c854df7a69ac"
        "665abfddeedf376fefdef"
    ),
    "italian": (
        "f45345556489445645534559ca9f7dfff2c65698595da44396d35375bb96ffffff733bc2ffc2df5ce4ff38c4fef7eebeffc6"
        "3e4c3fc33f77da2f95c95fffaffffeff53dd72dac2ddaba2ff59b5daf8ebffacf1776598676fb45388b344a5aa98ffffff72"
        "9ce34bf2fd6cc3ff4c94fffcfd9dfff63cfc3c462fe3b34cf49a4fbfafffffff33ccc2bfa2dd9883ff8b87dbf8ff85fff237"
        "46576fbda55347c54466fcf7afffa842bb92aff48aded2af9b93effbfcfffff13aab2b873b86775af7586f8f5ffcffff3396"
        "73a9d3fb36b38dd8457ef89aff9ef625ae2edc2efc5c24faad6fef8fffffdf33c53375c4c9bf52e8b5367ef95fecfdf1a767"
        "98686c845396d345959cb9fcffff83dcf2ff83fe6dc24f28a5fffbc9ffccf9bfdfffffbfffffefcfff0fffffffffff538552"
        "97c3e955638d55467df887ffd7f5384b38a73faa8b349b3248bfafcec7eb62caf3ee83ffabb2ff4b34bcf9c7dffdd5365637"
        "694da56335d443daecc7fffd8f72ffc2fef2ffcff2ff5ef55ffbfefffcf3279839a43f76953af6688ecf6fffffff1488947d"
        "a3ff6cb57fb9487874effffff058865aac8b957548f768698abcffffff62dfe5fbb1ffbde3cfbed8cffa2ffdfdf0cfeecfff"
        "affeedcefdddefffffffffff0dfeedfffaffccbdffcbdefffffffffff0be9d8edebaf8a9adf99bddffffffffff0afddcfbfa"
        "ffadccefcdaeefffffffbfb0bfddcfefcffddccdfcdcdeffffffffff0beccbedebffccbbdfbcbddfffeffffff"
    ),
    "portuguese": (
        "f35443566579544545544659bba9adff6dcaefa2c654a86958a44486733576ba96ffff6df8fffc727aa2ffc48f59d3df2685"
        "8ef7ff9ebf579aafa82dac3fb43f76da2dd5c64fff9ef89999589ceb62ec92dac3cdb9a2fd6ac69bf8ef8e9f9899eda27756"
        "986d48c44387833656b797fffc8ffdefee729dd37df2fd6cd2ff4b94fffbff7a9f7a69afa62ceb3b874fe7a62cf3992fbfaf"
        "f8b9f87a8fbd42ccc2bfa5ed9972ff8b85dbf9fe5f6faccaf8c33844675cc9954347843475e6d6fae97cafdfba72ccc3cfe6"
        "bfdfe2bfadc2dffcfb3fafaff9db8239bb2a863a86675af6586d8f5ffefffbbffffc33a8739533fa65b368d7556df7de69aa"
        "8978acc225af2fef4ffd9c34faae5fef9ff8c6f8a89bd953c434654589ae74e894266dc8af9c46ab97cf9176568879699544"
        "98a336479aa9fdffaffcefff82dad2ff85fe5db29f2876fffbff8ba97b989a9acfffffdfcfffffffffff0fffffffffffffff"
        "ff22975397d3c985738757568de8df6b89a988cbc14b5a39a85fba7b4589435ccfbff9f7d9c97fae62d9f2de73ff9bb2ef3a"
        "85bbf9be5a6f7887bb924665297a49a53496a445e7f8c8fbeb8778ffff82fcc2fff2ffcfd2ff6df9fffbff6c7f87789df327"
        "9839b42f76854af6578fbf6cffffffffffff42c5f3afd3ffadf33fee46aaa8ff7f7f7f8ad9b0488659ab8f947558d767787d"
        "fbffffffffffff23cee1fb93ffb8e5cfbbd7cff97fbd6f879cc9f0bebcbeaecffdccad5c2cceffffffffffffffff1f768f75"
        "fdff66bd6833694f7fcffffffffffff6aecaaeadaffc206deb99cdfffffffeffffffff5ffff5ffedfffff0fff8ffffffcfff"
        "fffffffffc1fffbfffffffff3fffff9ffffff9f1ffbfaf491da65ba7f6df736b7f4466af9fdffffffffffff1e7fc7fcfbff9"
        "43effa3f9ef9fcffffffffffff34633a66feff454767544b3fff7ffff9fffffff2d655d85f5fe476c48324f6f5faffffffff"
        "ffff2ab959addbff6325c733acdfffafefeffffffffabfdd0ffecffdddcefccddeffffffffffffffff7c453c88fdff332b4f"
        "435d5fff7ffffffffffff"
    ),
    "polish": (
        "f6544876764564453d5446a4da4dfcf9f7b629645b979944444a6e4457a5b96ff5f486a66387d4edd2a75a74ff37b5faf2a6"
        "6f47ffff55dad4bc22579c84feae96eeb5278f7fffff438774ead68659437f57a5d6f4287f66fc6828654985da4554496f44"
        "6aa6a96ff7f885874279a349f2f95a73bf3695fff7eaaf9fffff53ce45c984fd4a51cf4995f7fb967f54ffff23c3d4afa5ec"
        "8763ff6d85d5f5f7bf66f9ff349561b8e8766556ae8577a6cf896645b6d8239662c9f6e886669f76b5f8ffda4f4ef7fd3387"
        "f6fcc3fa6b62cf4644f8f9f66f66fef94377829ac2f55744afe784a7f7ea6f6ffcfb2389c5dcf3f8b8537f9994fef3f58f78"
        "f9ff42d76497c1c6cf54dfa756ebf4b85f6ffffc2a454a85875555496f4459b3ca5ffbf775c673d7e5ff83f96d72af2686ff"
        "f6f6bf86ffff48a998dbb5aaa998af9990f9f99cbbbaebeb528664b8d6e687738f8755b6d4257a69fbf955b6d5bd83849875"
        "4eb826f7f6286f85ffff42c9e3bd77f59a53af3a84c4f3c57f68ffff275448769935645b5f435bc6dc6ff8f7a6b543ed72fe"
        "f2dd8dd4dfa8d8fdf6cfffaeffff33b655eda2d7bb548f6487fff3767f76faff14cbc47d93cc6bb57fbb586755bededcfdfe"
        "19546996fb5554586f745bd5fd7ff5f4c5b8337663f7e38696457f6b75f5f3b96f56ffffdf445ff5ff374cffaf376ff2ff7f"
        "f8f4fe641f933ff5fff9ffff7ff75ffcff6ff5f5f7d50fa9bffffffff8ffaffcfdf8ffffffffffff1f744ff7fff48fff6ff7"
        "5ffdff7ff7f6f6a62269c3fcfff6ba639fca94fcf4b66f8ffff91d91adfffdf7f8ebffe2effefeefffffffff2fa3fffffcfb"
        "335f7f6feff4fffff3ffcfff1d7459f9fdf9332def6eeff5feeff4ff8fff338651fffbf56a45ffc7f7fcf3f97d7effff"
    ),
    "czech_slovak": (
        "f5554878574564353d634649da49ffbdf8f6af9bf879f62b664aa8695434496f55475ba96ffffffcf6bf98f965f6648793ff"
        "a4794b63ff38838ff3a6ca5de969f6adf6bb9b45dac3eb13f58a74bd9d669fa8bbf85ff9fffffffff89f449783db84a65843"
        "6f56856bf475f85d8879f499f99f7a285549997a5544486f45586a896bfffdfef67f78f858f7427db359f3f75ab3df3674df"
        "f7f6f676f8fffc8bfaffbf339ba3a753fa59539f3774d8f6f6f799fbffffcff9ffaf34d4a4bfa6d93842ff4d657cf5f5f8bf"
        "ba7cff7bd9ad8d24855398887536487d75485fbf79fbaafff6bff9fd65f933aa52cf84c97665afb3558fff96fc4cf6f98fff"
        "ff7dbd33e854fd97fb5962df49436df4d5f5b9975cff9cc9cf87228993ac83e66853afe885aef6b5f659f87afffaff8faa24"
        "9ac3efa3f968648f7984fef5d4976b6a7cf5f899cf6a43b66297a3b6cd74ffb765bff6a4f54cd758f5ffffafa92a464a995a"
        "5544596f545449bb5ffffffff68f8af88df674d8d4ff85d95d72af2776fff8f58a6b7a8af7ccf47f7f37aa96dda5a99998af"
        "99609ffaaafcafedcbebdefcbcdb429763a883e687628f87656ee673f66bb868dffeff8a8744a7b3cd74d445544e78265cf7"
        "f8fb5df7ceffadfff6bf33a8e3fd74f67953ff49855cf5c5f75ac86bf5dff6af9f196649896945566c5f544d5fcc79ffffff"
        "f68facf968f543b973ffa3e76c53af5786fff464864b8a5895dce85f7822b9a39c43e77953af6678daf6aeffeffffffbffff"
        "ffff25a7d58fb2d788954fdb44b995eef95fffffffffffffff185568bb6a8647675f73588bff6ffffffff7dfdaf866f64259"
        "44ea657555445f59665ff794fa5af99adfbbf8a97f2f754ffb6f76434f6f544a4fff5cfffffff6af9af749f56bdd6bffdcd7"
        "ccabdfc42dcffd3dffdffff3feffffe2fe1fc97e6a3fb7945f8f576f9fff8ffbfffff8effffabff92f756fff7f74625f7f65"
        "4f5fff6ffffffff7af8af84af72c663b759c9d652b5f3c7ddffe4dffe8ffffffffffbff99d556dfc9e264abd9f449f4fff7f"
        "fffffffcff88ffaff12f545e6f6fc5776e4f543f5fff6ffffffff5bfaff854f51f537fdf6f96637f7f764c5fff7ffffffff9"
        "ffcefb5af743a9f3ffe3f46a33dfbb65fffff7fc3ff7fffffcff7f9f12fdfcfffcf8e4e6ffed39fffff6ffcfffffffffffff"
        "f72ff45fff6a44265f9f754f7fff6ffffffff79ffbf579f6327ff8fffcf3f444ffa7535ffffffffff4fcfffaff9fff12faeb"
        "ff6ef7e7d3efe733effff7ffffffffffffffff8c698b69eebabba389bfa60baffb9bfdbffed6fcf56dcdec578cf1fff2f8d9"
        "87dff898affff4ff2ffffcffffffefaf25fbf3ff93f549566fbe469ffff9f74fffffff7cff86df03ffcdfffef9f9f6dfcd78"
        "fffff8ffffffffffffffffff2e587eff7c36458eff63bf5fff5ffffffff9ffd9f99ff2358941ffb3f69946ef9875bffff6fa"
        "4ffcffaff9ff8faf"
    ),
    "hungarian": (
        "f3566456456453466d544749da875887788d2a685aa47754343b5f45487ba94ebfeedfff423d92efb4996d94ef6896dff8e4"
        "666898675575b4ea44e47b94eb7187cfc8f768cecbff246e53bb74489953af66466af8966776c85d397959836874333a8f44"
        "3b7a994abdcffcff758fe26af39d8ca2ef5995fffbf54fa6865934799386766777648f67677df1855677a88c52dde3bf84cf"
        "a982ff9da7ebf9e455777898257556847a8446398d53486fbd576f7f8bff338c53afa86a7c64ef7744cfff936c4485bb147a"
        "c3dea4b68a74ff7777adfad54774c6bc3488638675554555af86476ff4a45867b86e245ab2eeb3bb76948f7996dff9a55789"
        "8ae72486439694748b46cf97489ef4855ab7987a7a56499379a333387f444879ba4fdfffffff438583af64596b635f46558f"
        "fa645679b67938ab98b9a5a98989bf9980affa999cbbdcce3376538775667654af65366df86468578567248984ba75f79774"
        "9e7447bdfb255788987d238af3cc76787a64ff76358df8d559668768697628946883363e7f443dafbb88ffffffff629ea2cf"
        "a37fae84ffaa7a9ffbf34897c87a3276a38d43e77853af6678eff7dadfffffff1478c47c92d76c767f6744d897cc8feeffff"
        "247c839974786764bf76556cff7567778687247f62b885f87954af86369ffc544655857a6b465fb49865243c9f333a6fff5b"
        "9adfefff5f6b6fb37b74363f5f334f5fff5faffffeffacb88cf3ff79764f8f371f2fff4fffffffff27484c868765275e8f45"
        "4f5fff6cbfafefff8f586fc68f74352f9f333c4fff4ffff9ffff38878ea2a935396f9f444f8fff4acfff9fff9ffb5dc47cf3"
        "192fff665f6fff5fffffffff285a57899764365c8f433c6fff5baaffcbaf286fa5c66e64492eff545f4fff4ffffffffb"
    ),
    "romanian": (
        "f3534556757954454d534659da8ff59682b746977947a444b6e34356ba96ffff66537b93ffc2df4ad4ef4682fef7d9df4f74"
        "3e8d3fc43f769b4ed4c53bffaf5bb3d733e992dab3be7984ff5ab48af8eaef5ff14656876b59b45486f44566a796ffbf6662"
        "9fc37bf2fd5cc3ff4d74fffbd7be4ff43ceb2b853fd5a75bf3993fbfaf5cb3ff32bcc2df82dd8754ee6a76caf7f8fc8ff247"
        "46487a58a55367e65457fbf7ffff77436d93cbf4bd78c2cfafb1fffdfdcf5ff23acf2a763a86675af6586b8f4ffffbff2388"
        "82aac4fb6874afe8537ef8b8ef5e6236aa3bff3ffc8544fba84adf9e6cc4f834c44375c389ab75ef95337ee98adf59533546"
        "96675c844475f244668997ffff7653dac3ff84fe4dc3af2743fffcf7dd4e83579a8bcc5deaa9aaf9a90bffecdfcacc336662"
        "86b3d985748f86548df887db4a834b3d47d74fa88a54dc824ebfaf9ab3fb23c9a2af83ffabc4ff3b84ccf9c6cc4ff2665798"
        "794ab343d6f354c8fbd6eff87752ffc2fff2ffbfa3ff37f6fffbf6bd4ff3279839b43f76853af6678faf6ffffeff33b4f39f"
        "a2ff89d62fdc35b997ffff8ff048865a9c8f947548f767788dfcffffff435e83f7a1ff9965efcdd47ffa87ee3ffaffc8fcfe"
        "4ff541fbf4738efff9ffff6609c579dde6ef66ab8f5575cfff6efdbdd8fffefffd5ff530fffba7fffffeffff751f857ff7f6"
        "9f657f7f4545afff6fffc8644f5f4eff2ffd876bfef16ffffffff7cf64fff4fff0fffffafffff5fffff9ff4ff"
    ),
    "croatian_slovene": (
        "f6574885655464443534549eb586d672c765aa779444446645484cca586857638c93ffd26a4b62f38949ff89f9fac42c9b2f"
        "a52957a74d6c848ff8ffffff427b93e7b3596743847a56bf89fbfa8196649968a654448745496aa9666957436db359f2eb5a"
        "93f3965fff9ffffff32cf64d985cd3b62c3a94bcfbdfd8ff23ccd4df94c56853e5b554bf8ff7fff289568966b4544457644c"
        "5fcf586a59338971fba4d79864ad7749fffcfaf8f32e874fbc48d4872f47646ef9facf8f32a893a9d2387863bf885aff8bfb"
        "ffa2379d3dff37a7862769a5def9fdbfcf32d763a7c247ce83da665bff99f8ccd2b584a9589454459644594adb67686673d9"
        "d4ff848a5e82a2784fffdfabf9f428872b793777753987646df88d9c7743b8e3ce74644555468254cfbffefff43ebe3de827"
        "68a53849855df9cfffff285649b5695565575544c6fed66585542b863fdd3595c5284696fffc7f9f8c32e6939b42d77854a6"
        "588daf6efffef1388b56c93bb6ba57bb45a776cedfcd158866bcd9594855a778798ffffffff425e54f4a4885535869a54ffb"
        "9fcfbf43fff1fff2fbef57ffee3ffffffffff43dff2fff2756a35f7fe49fffffffffa2ffe1fff2eeeed5eebe3efffffffff2"
        "3fcf3fff4a54a568ef26affff85fbf636f51f8f2678b47f6ff59ffffffbff"
    ),
    "turkish": (
        "f4374574448475546d745759d47d567e9639554b7a6894443c5f355a7bb46f7ff6f5828db3ffe2df7db5ff7ae3fff9cff66f"
        "5f7299a2fa54e57cc6eb7c94ffc8bffb6f4f62de72ebd2efacb5ff8ad3cbf8fdf64f3f297549798ac444397f354c5ab47f7f"
        "f5f6328fd25ad3f85ba4ff4647fff9ffa98f4b65cfb2c982fd9ca6cf69a6fcfabbf33f6f418b93afa3d86775df66567bf9b7"
        "9d7f692877688989c5343a7e346d9fc44f6fe6f542bf63aff39e7db2af9ea4fff8fff86f5f22bdb4edc3f64694ff7645def9"
        "f8876f49428942b7c3f75497aff775aff8c9ac6f4f228853edc3f968a78f97f5fef9affc6f4a14b644b7d3c74678ef7674df"
        "f79f8c6f4c4a7668887a9426386f266888b58fbff5f632bfb3ff64e744b48f5547fff9ff9f8f4b38ab98cbb4e99989bf8990"
        "bff9afbbab9a238844a883b555869f8464ade8af7b6f4743b9d3bd73f767a48ea634bbf7ffc56f3f33aad37b73f854b5ff67"
        "44bbf9bf995f3f2897799879d5432f7f355e8fd44f7ff5f562a861f6a3f857f7ff58c58fe9bfff7f8932afa38e42f768539f"
        "6578fff6efffefde1488b57dd3fb6ba57fab47d788cfddcdbc427b53a8c4f84762df77a59cfcbff85f4f139753e6b4fb4696"
        "ffb6e6eff88fff5f4f2b7eab8e6bf6174def487deff46fefe6c6336ff3fac3f755f3ffa857fffcfff65f3faf896f8fbef737"
        "3f6f254f7ff23faff5f83f867a8faef4542f7f355f6ff43f5ff5f475ed84dff1ff4798ff4af3ffff8fff5f2f2fc78f9fdbf4"
        "432f7f468fbff44f8ff5f433abe3a8a3f544c9efb7349ff9ff784f3b"
    ),
    "lithuanian": (
        "f459468585435437364374be8ae7bf66ce63a685aa7b395454c643435efcaf8bff5ff682ad73fff3895df4f5873fff8c7c37"
        "ae38c55f983ff31b589a5f7886aff7f8fafcf6c842ddd4dcd3dcb994f5af46df5a6f388f97427696a95d37445395334a6dcb"
        "9f8ef96ef763aaf388f2bb58b2a3b54fff9f7f7fbcf8f52df93feb3ff7974b46548ef496c68a986832afa2ff938d8553e796"
        "5fbf7a9fbfffaaf249964a6f9646435553547fff888bff576a52fff3fff3ffeff3dffb3fff9f5f775f55c32f995fdd3fe588"
        "3f55546ef5f5a588688f425d6396d2a68764897555ef5b7a476997a426da3ded3d7b9c36c564fef6b5b59ba67953c85295d3"
        "b4dfb3ea644bff6b68577db7c2b695b859944544a843486bdc9f9fff7ff941feb4e8c4976a84c2665bff7f9b7ab99ba325a5"
        "4b6e2b686748a5458ff5b79586778914baa5cdb3d477776ab446ff7f797aaf97f42bdf3d9a2ba7994b55b36ff6e6e587b95e"
        "287a59b5b66465536435e5fff8f7afe7ff582ffd3faf2db9fa3fbbf6fff4d7f56afa8f22cfb3fc33cabb53b65a6cffcfdecf"
        "ecedd146ea9eae3a9a999468556f46ebcadcbccb5a4c5ae5fc5245586332b4eff8f6fff8ff863bf24f7a2f87584f7b848fff"
        "96f56ff97f0fffbffcff68879ff85bfbfffffffffeff675ffb5fff0f6ccb9fff8afff9fafcfdffbd2fcd5ff5f934357f7633"
        "f6fff8f6fff7ff81dfffefffdfeffffff1eeffffffffffcffa1daf67d7fe7576af7535f5ffffff8ff6ff4338f74f6f383567"
        "5785365ff5f86676968b4e9f4ff6feb4574f5323f7ffc7f6fff7bf80ffffcfffd6fffffff6dfffffffffffffff548f54baf1"
        "a58475785546ff6f8a796e89f"
    ),
    "latvian": (
        "f456457584545448364354cec6fffcff8f9e9a9fa8faf6ba39585ca6b365544c533445fdc6ffffffff9ecadfa7f8f7f963fd"
        "93fff2876ca5a36839ffbfbcefab4dff4f7ffaffda3a34efa3fd81f8a8b68c885affdefdcffd5fff5f4efbffdf9f43ceb4cb"
        "f3cca883d45e48ffc3cdcfff5fef5f4cfeffde9547654786a464443a642394ddc6fffdffafbdcadfa7f8f6f853cfb38aa2af"
        "5ba2a3664cffffffffff7fff6f7ffffffc9f52bfe7efb4cc5b85b33538fff8fcffdf4dffafaff8fef67b42bfe2ff836e8753"
        "fa675fff9fffffff4fff6f8fffffff8f29765297ba5456488446b7fff4ffffffafafccdfaab5f9fa42eec6fff3feffa4be5c"
        "2dffffbaefba3bff7f9ffffffa4b42d9b6ccc5c94893a53438ffceaafcff3bffafcff6fbf58f52885487e2866865785655ff"
        "d8cdcfed4fef4f4cfcffda6b228ca4cdf39ba7957a474dffdbccdfcd4cff4f5bfeffc86a33c85296b396a883b94549ffebcb"
        "dfff3caf5f5efdffd99b29674b8689454449543386bcc6fffcffef9deabf9af8f5f8629995f8b3876775935649ffe9cbffff"
        "4cdf4b6be9f9c88b336954a6b3a67674694547ffd9ccbdff4dee5a4d9cfae67a14aba6dba4c565766c6367ffdcffffff6fff"
        "7f7fffffff8f237884c8a3a78964845837efeabbcfef4cef6f5dfafafa8f1a865bc6b776544e7445a7fff4fffdff9fbfd9cf"
        "a8f9f6fa42cfa3fff29cbc95ba6c5bffefccffff5eef3f5afcffcfdf22bca4ec33ba7a63b759ab6ffbffffffafffbf7ffefd"
        "fcde15bba5ebe4a9a996498497f4faffffffafffaf6fedfcfbcd145855fcf9cb864368478b8ffcffffffbfffcfcffefefddf"
        "346854f6c2876566764554ffd8dfbfff6fff4c3ebcf7d99f18854afdf744648b5444b5fffcffffffbff7cfcffffefdef2a64"
        "4a8df844546c5454b6fffcffffffbfffcfc6fff6f8e8491649e4f95ab45ab743a3fff7ffffffafffbfbffefdfcde24ccb4fc"
        "f3babb63ba963bfffbffffff4fffcf5f6ef8fcde78a458dbe8a9a99a551296fffaffffff9fefafafedfcfb6d78ab48dbe8a5"
        "a999a6139afff6ffffff9fefafafedfcf6c528754da9f844546f5343a6fff7ffffffdfbfebffb9f9f7f919754afcf954557b"
        "4443a5fffbffffffbfffcfbffe8dfcde63ffe2fbf3eaa7d4ed7d2effffffffff4fff7f7fffffff6f32ab96d6e3a95993a668"
        "5afffa3f3fff9fefafafedfcfbcd3f845df6f935356e6333f6fff7ffffffffffd6ff96faf6f995ffe2fff1eeeed7edcd7eff"
        "feffffffefff3f4fffffffff4c364bd3ec45555c7533d4fff6fffcffffbffbff97f8f5f949b4b9fcf64343a6b3346bfffbff"
        "ffffafffbf4ffefdfcde95ffe3fff1fefee6beaa4bffffffffff9fff3f3fffffff9f329897f8f4b88a83a98938fffffbfffd"
        "3fff8aaf58d7f64f22ab95dbe2a9a996a9882afffaffffff9fefafafedfcfbcd52be93fbf3f8ffa5acab2cfffffff8ff5fff"
        "58df7ffdf39f38b359ebe8353a4aa43396fff6ffffffafffbfbfedfcfbcd32cda5faf3e98a74976839fffdfbffff4fef7f4f"
        "59f8fb9f5f973df6f964577a5522d7fff6ffefffffbffaff7bfef5d643cc92bff3f8c893f7683fffffffffff4fff465ffaf8"
        "ff6f"
    ),
    "estonian": (
        "f4787488565343544d533749ebb7c796e255947b5556545487f53476bcacffcfcf1379d4efc3a85cd5ff48a4fef7faffdaf4"
        "3a683c824c349a3a95a66bff6fffffff12fd94ebc4987777ef66c49bf8cfffcdf247b44a574a534487f544b6aa9cffffff43"
        "6fe448f29a59b2bf3b65fff7f6ff76f52dfc2d992fa67779f69a3cbfbfdffcef42dfe2ff84658674ff7c346dfaf5f9f7f266"
        "836a5749444388e63497fcfcffffdf91dfd5eff89fffc4efdfc2fffff3f5edf43fff3fdb4b57993bf8372aefaf6f5a5f339c"
        "52b6d3583676afd8447ff8f6f699f426ad2ecd2dbb6968f98d3def9f6f598f23d933a5c3a89d47dfa863bff9c5f7c7f58695"
        "696457524337f454868b9cffefff62ced2ef73aa68935f4574dffcf4f575f35be98eaa6b9999aa6a890affefbfbdcf428953"
        "a5a35675649f56544ce7d5f887f23cae2dd838698a79fc6349dfbfaf687f22fbf2fe84a75785cf7453adfad6c677c375938b"
        "55585354c7f43447fedcddefde51ffc3fff3bbafa7cf9ad6dffcf3f3bcf3297838952f768549f5578ebf6fefffff13d7b56c"
        "c2db7bb57fca4687f7fdfdfef159866a7c8c948559f767887ccfffffff22df93f843db78b3df68768ff54dfdf9f8f6f64f43"
        "3c447487f245f7ffff3fffff42cea2fbb3ba9a93bfa9965ffefb47dcfcd5f64f74278564a4f46347ffffff6fff497f44f5a7"
        "a5566a8f464f5ffffdff1ff868f3bc73cb4255e6f543f7ffffcfff3f42bd92eaa2a98982af98865ffefafbdb4"
    ),
}
