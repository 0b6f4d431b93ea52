//! The fixed texts of the page, in the languages that it can be set in.

/// The fixed texts in one language.
#[derive(Debug)]
pub(crate) struct Words {
    /// BCP 47 tag.
    pub(crate) language: &'static str,
    pub(crate) diploma: &'static str,
    pub(crate) certificate: &'static str,
    pub(crate) certifies: &'static str,
    pub(crate) born: &'static str,
    pub(crate) awarded: &'static str,
    pub(crate) holds: &'static str,
    pub(crate) given_at: &'static str,
    pub(crate) given_on: &'static str,
    pub(crate) level: &'static str,
    pub(crate) level_of: &'static str,
    pub(crate) field: &'static str,
    pub(crate) programme: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) credits: &'static str,
    pub(crate) grade: &'static str,
    pub(crate) thesis: &'static str,
    pub(crate) taught_in: &'static str,
    pub(crate) number: &'static str,
    pub(crate) classes: &'static str,
    pub(crate) expires: &'static str,
    pub(crate) check: &'static str,
    pub(crate) how_to_check: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) code: &'static str,
    pub(crate) logo: &'static str,
    pub(crate) transcript: &'static str,
    pub(crate) course: &'static str,
    pub(crate) date: &'static str,
    pub(crate) page: [&'static str; 2],
    months: [&'static str; 12],
}

impl Words {
    /// In the language of a BCP 47 tag; English when there are none in it.
    pub(crate) fn of(tag: &str) -> &'static Self {
        let primary = tag.split('-').next().unwrap_or(tag);
        ALL.iter().copied().find(|words| words.language.eq_ignore_ascii_case(primary)).unwrap_or(&ENGLISH)
    }

    /// A date (`YYYY-MM-DD`, checked) written out.
    pub(crate) fn date(&self, date: time::Date) -> String {
        let (year, month, day) = date.to_calendar_date();
        let month = self.months[usize::from(u8::from(month)) - 1];
        match self.language {
            "fr" if day == 1 => format!("1er {month} {year}"),
            "de" => format!("{day}. {month} {year}"),
            _ => format!("{day} {month} {year}"),
        }
    }

    /// The name of a language, or its tag.
    pub(crate) fn language_name<'a>(&self, tag: &'a str) -> &'a str {
        let primary = tag.split('-').next().unwrap_or(tag);
        let column = ALL.iter().position(|words| std::ptr::eq(*words, self)).unwrap_or(0);
        LANGUAGES.iter().find(|(code, _)| *code == primary).map_or(tag, |(_, names)| names[column])
    }
}

const ALL: [&Words; 3] = [&ENGLISH, &FRENCH, &GERMAN];

static ENGLISH: Words = Words {
    language: "en",
    diploma: "Diploma",
    certificate: "Certificate",
    certifies: "This is to certify that",
    born: "born on",
    awarded: "has been awarded",
    holds: "has been issued the",
    given_at: "Given at",
    given_on: "on",
    level: "Level",
    level_of: "European Qualifications Framework (EQF)",
    field: "Field of study (ISCED-F 2013)",
    programme: "Programme",
    mode: "Mode of study",
    credits: "Credits",
    grade: "Grade",
    thesis: "Thesis",
    taught_in: "Language of instruction",
    number: "Certificate number",
    classes: "Classes",
    expires: "Valid until",
    check: "How to check this document",
    how_to_check: "Open any Testamur verifier and scan this code, or drop this PDF there. It tells who issued it, whether it was altered \
                   or withdrawn, and since when it has existed. This page alone proves nothing.",
    issuer: "Issuer",
    code: "QR code with the signed credential of this document, to be read by a Testamur verifier",
    logo: "Logo of",
    transcript: "Transcript of records",
    course: "Course or activity",
    date: "Date",
    page: ["Page", "of"],
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
};

static FRENCH: Words = Words {
    language: "fr",
    diploma: "Diplôme",
    certificate: "Certificat",
    certifies: "Il est certifié que",
    born: "né(e) le",
    awarded: "a obtenu",
    holds: "s’est vu délivrer",
    given_at: "Fait à",
    given_on: "le",
    level: "Niveau",
    level_of: "Cadre européen des certifications (CEC)",
    field: "Domaine d’études (CITE-F 2013)",
    programme: "Programme",
    mode: "Mode d’études",
    credits: "Crédits",
    grade: "Note",
    thesis: "Mémoire ou thèse",
    taught_in: "Langue d’enseignement",
    number: "Numéro du certificat",
    classes: "Classes",
    expires: "Valable jusqu’au",
    check: "Comment vérifier ce document",
    how_to_check: "Ouvrez un vérificateur Testamur, puis scannez ce code ou déposez ce PDF. Il indique qui l’a délivré, s’il a été \
                   modifié ou retiré, et depuis quand il existe. Cette page seule ne prouve rien.",
    issuer: "Émetteur",
    code: "Code QR contenant l’attestation signée de ce document, à lire par un vérificateur Testamur",
    logo: "Logo de",
    transcript: "Relevé de notes",
    course: "Cours ou activité",
    date: "Date",
    page: ["Page", "sur"],
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
};

static GERMAN: Words = Words {
    language: "de",
    diploma: "Diplom",
    certificate: "Zertifikat",
    certifies: "Hiermit wird bescheinigt, dass",
    born: "geboren am",
    awarded: "verliehen wurde:",
    holds: "ausgestellt wurde:",
    given_at: "Gegeben zu",
    given_on: "am",
    level: "Niveau",
    level_of: "Europäischer Qualifikationsrahmen (EQR)",
    field: "Studienfach (ISCED-F 2013)",
    programme: "Studiengang",
    mode: "Studienform",
    credits: "Leistungspunkte",
    grade: "Note",
    thesis: "Abschlussarbeit",
    taught_in: "Unterrichtssprache",
    number: "Nummer des Zertifikats",
    classes: "Klassen",
    expires: "Gültig bis",
    check: "So wird dieses Dokument geprüft",
    how_to_check: "Öffnen Sie einen Testamur-Prüfdienst und scannen Sie diesen Code, oder legen Sie dieses PDF dort ab. Er sagt, wer es \
                   ausgestellt hat, ob es verändert oder zurückgezogen wurde und seit wann es besteht. Diese Seite allein beweist nichts.",
    issuer: "Aussteller",
    code: "QR-Code mit dem signierten Nachweis zu diesem Dokument, zu lesen mit einem Testamur-Prüfdienst",
    logo: "Logo:",
    transcript: "Leistungsübersicht",
    course: "Lehrveranstaltung oder Leistung",
    date: "Datum",
    page: ["Seite", "von"],
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
};

/// Names of the languages of instruction, in the order of [`ALL`].
const LANGUAGES: [(&str, [&str; 3]); 32] = [
    ("bg", ["Bulgarian", "bulgare", "Bulgarisch"]),
    ("ca", ["Catalan", "catalan", "Katalanisch"]),
    ("cs", ["Czech", "tchèque", "Tschechisch"]),
    ("da", ["Danish", "danois", "Dänisch"]),
    ("de", ["German", "allemand", "Deutsch"]),
    ("el", ["Greek", "grec", "Griechisch"]),
    ("en", ["English", "anglais", "Englisch"]),
    ("es", ["Spanish", "espagnol", "Spanisch"]),
    ("et", ["Estonian", "estonien", "Estnisch"]),
    ("fi", ["Finnish", "finnois", "Finnisch"]),
    ("fr", ["French", "français", "Französisch"]),
    ("ga", ["Irish", "irlandais", "Irisch"]),
    ("hr", ["Croatian", "croate", "Kroatisch"]),
    ("hu", ["Hungarian", "hongrois", "Ungarisch"]),
    ("is", ["Icelandic", "islandais", "Isländisch"]),
    ("it", ["Italian", "italien", "Italienisch"]),
    ("lb", ["Luxembourgish", "luxembourgeois", "Luxemburgisch"]),
    ("lt", ["Lithuanian", "lituanien", "Litauisch"]),
    ("lv", ["Latvian", "letton", "Lettisch"]),
    ("mk", ["Macedonian", "macédonien", "Mazedonisch"]),
    ("mt", ["Maltese", "maltais", "Maltesisch"]),
    ("nl", ["Dutch", "néerlandais", "Niederländisch"]),
    ("no", ["Norwegian", "norvégien", "Norwegisch"]),
    ("pl", ["Polish", "polonais", "Polnisch"]),
    ("pt", ["Portuguese", "portugais", "Portugiesisch"]),
    ("ro", ["Romanian", "roumain", "Rumänisch"]),
    ("sk", ["Slovak", "slovaque", "Slowakisch"]),
    ("sl", ["Slovenian", "slovène", "Slowenisch"]),
    ("sr", ["Serbian", "serbe", "Serbisch"]),
    ("sv", ["Swedish", "suédois", "Schwedisch"]),
    ("tr", ["Turkish", "turc", "Türkisch"]),
    ("uk", ["Ukrainian", "ukrainien", "Ukrainisch"]),
];
