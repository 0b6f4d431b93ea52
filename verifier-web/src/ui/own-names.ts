/** Names of countries and languages. */
export interface Names {
  /** By the two letters of ISO 3166-1. */
  readonly countries: Readonly<Record<string, string>>;
  /** By the two letters of ISO 639. */
  readonly languages: Readonly<Record<string, string>>;
}

function table(names: string): Readonly<Record<string, string>> {
  return Object.fromEntries(names.split(',').map((pair) => pair.split(':') as [string, string]));
}

/** Of the languages that Chromium has no data for: countries and languages of the European Union. */
export const OWN_NAMES: Readonly<Record<string, Names>> = {
  ga: {
    countries: table(
      'AT:an Ostair,BE:an Bheilg,BG:an Bhulgáir,CY:an Chipir,CZ:an tSeicia,DE:an Ghearmáin,DK:an Danmhairg,EE:an Eastóin,' +
        'ES:an Spáinn,FI:an Fhionlainn,FR:an Fhrainc,GR:an Ghréig,HR:an Chróit,HU:an Ungáir,IE:Éire,IT:an Iodáil,' +
        'LT:an Liotuáin,LU:Lucsamburg,LV:an Laitvia,MT:Málta,NL:an Ísiltír,PL:an Pholainn,PT:an Phortaingéil,' +
        'RO:an Rómáin,SE:an tSualainn,SI:an tSlóivéin,SK:an tSlóvaic,IS:an Íoslainn,LI:Lichtinstéin,NO:an Iorua,' +
        'CH:an Eilvéis,GB:an Ríocht Aontaithe,UA:an Úcráin',
    ),
    languages: table(
      'bg:Bulgáiris,cs:Seicis,da:Danmhairgis,de:Gearmáinis,el:Gréigis,en:Béarla,es:Spáinnis,et:Eastóinis,fi:Fionlainnis,' +
        'fr:Fraincis,ga:Gaeilge,hr:Cróitis,hu:Ungáiris,it:Iodáilis,lb:Lucsambuirgis,lt:Liotuáinis,lv:Laitvis,mt:Máltais,' +
        'nl:Ollainnis,pl:Polainnis,pt:Portaingéilis,ro:Rómáinis,sk:Slóvaicis,sl:Slóivéinis,sv:Sualainnis',
    ),
  },
  lb: {
    countries: table(
      'AT:Éisträich,BE:Belsch,BG:Bulgarien,CY:Zypern,CZ:Tschechien,DE:Däitschland,DK:Dänemark,EE:Estland,ES:Spuenien,' +
        'FI:Finnland,FR:Frankräich,GR:Griicheland,HR:Kroatien,HU:Ungarn,IE:Irland,IT:Italien,LT:Litauen,LU:Lëtzebuerg,' +
        'LV:Lettland,MT:Malta,NL:Nidderlanden,PL:Polen,PT:Portugal,RO:Rumänien,SE:Schweden,SI:Slowenien,SK:Slowakei,IS:Island,' +
        'LI:Liechtenstein,NO:Norwegen,CH:Schwäiz,GB:Vereenegt Kinnekräich,UA:Ukrain',
    ),
    languages: table(
      'bg:Bulgaresch,cs:Tschechesch,da:Dänesch,de:Däitsch,el:Griichesch,en:Englesch,es:Spuenesch,et:Estnesch,fi:Finnesch,' +
        'fr:Franséisch,ga:Iresch,hr:Kroatesch,hu:Ungaresch,it:Italienesch,lb:Lëtzebuergesch,lt:Litauesch,lv:Lettesch,' +
        'mt:Maltesesch,nl:Hollännesch,pl:Polnesch,pt:Portugisesch,ro:Rumänesch,sk:Slowakesch,sl:Slowenesch,sv:Schwedesch',
    ),
  },
  mt: {
    countries: table(
      'AT:l-Awstrija,BE:il-Belġju,BG:il-Bulgarija,CY:Ċipru,CZ:iċ-Ċekja,DE:il-Ġermanja,DK:id-Danimarka,EE:l-Estonja,' +
        'ES:Spanja,FI:il-Finlandja,FR:Franza,GR:il-Greċja,HR:il-Kroazja,HU:l-Ungerija,IE:l-Irlanda,IT:l-Italja,' +
        'LT:il-Litwanja,LU:il-Lussemburgu,LV:il-Latvja,MT:Malta,NL:in-Netherlands,PL:il-Polonja,PT:il-Portugall,' +
        'RO:ir-Rumanija,SE:l-Iżvezja,SI:is-Slovenja,SK:is-Slovakkja,IS:l-Iżlanda,LI:il-Liechtenstein,NO:in-Norveġja,' +
        'CH:l-Iżvizzera,GB:ir-Renju Unit,UA:l-Ukrajna',
    ),
    languages: table(
      'bg:il-Bulgaru,cs:iċ-Ċek,da:id-Daniż,de:il-Ġermaniż,el:il-Grieg,en:l-Ingliż,es:l-Ispanjol,et:l-Estonjan,' +
        'fi:il-Finlandiż,fr:il-Franċiż,ga:l-Irlandiż,hr:il-Kroat,hu:l-Ungeriż,it:it-Taljan,lb:il-Lussemburgiż,' +
        'lt:il-Litwan,lv:il-Latvjan,mt:il-Malti,nl:l-Olandiż,pl:il-Pollakk,pt:il-Portugiż,ro:ir-Rumen,sk:is-Slovakk,' +
        'sl:is-Sloven,sv:l-Iżvediż',
    ),
  },
};
