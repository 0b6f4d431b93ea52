import type { ComponentChildren, JSX } from 'preact';

import { type LanguageText, type Members, inLanguage, isMembers, items, languageTexts, members, text } from './data.js';
import { type TextKey, type Translator, useTranslator } from './i18n.js';
import { jurisdictionName, languageName } from './places.js';
import { useDisclosure } from './printing.js';
import { Inert, isStrange } from './text.js';

/** Rows of a transcript that are shown before the reader asks for all. */
const ROWS_SHOWN = 30;

/** Members that say nothing to people: digests, and marks for verifiers. */
const TECHNICAL = new Set(['id', 'print', 'holderBinding']);

/** Members whose order and form this view knows. The title stands above them. */
const KNOWN = [
  'title', 'givenName', 'familyName', 'dateOfBirth', 'placeOfBirth', 'certificateNumber', 'awardingDate', 'expiryDate', 'place',
  'programme', 'eqfLevel', 'iscedF', 'ects', 'grade', 'studyMode', 'languages', 'classes', 'thesis', 'jurisdiction',
  'supplement', 'activities',
] as const;

const SUPPLEMENT = [
  'learningOutcomes', 'programmeRequirements', 'accessToFurtherStudy', 'professionalStatus', 'additionalInformation',
] as const;

/** What a diploma says, from its fields. */
export function Content({ subject, undisclosed, compact }: { subject: Members; undisclosed: number; compact: boolean }): JSX.Element {
  const i18n = useTranslator();
  const title = languageTexts(subject['title']);
  const others = Object.keys(subject).filter((name) => !TECHNICAL.has(name) && !(KNOWN as readonly string[]).includes(name));
  const json = JSON.stringify(subject);
  // JSON has codes of its own for controls.
  const strange = isStrange(json) || /\\u[0-9a-f]{4}|\\[bfr]/.test(json);
  return (
    <section class="card content">
      <h2>{i18n.t('content.title')}</h2>
      {title.length > 0 && <Title texts={title} />}
      <dl class="fields">
        {KNOWN.map((name) => {
          if (name === 'title' || !(name in subject)) return null;
          if (name === 'activities' || name === 'supplement') return null;
          return <Row key={name} label={`field.${name}`}>{fieldOf(i18n, name, subject[name])}</Row>;
        })}
        {SUPPLEMENT.map((name) => {
          const texts = languageTexts(members(subject['supplement'])[name]);
          return texts.length === 0 ? null : <Row key={name} label={`field.${name}`}><Words texts={texts} /></Row>;
        })}
      </dl>
      {'activities' in subject && <Transcript rows={items(subject['activities'])} />}
      {others.length > 0 && (
        <>
          <h3>{i18n.t('field.other')}</h3>
          <dl class="fields">
            {others.slice(0, ROWS_SHOWN).map((name) => (
              <div key={name}>
                <dt><Inert text={name} /></dt>
                <dd><Anything value={subject[name]} /></dd>
              </div>
            ))}
          </dl>
        </>
      )}
      {undisclosed > 0 && <p class="note">{i18n.count('content.undisclosed', undisclosed)}</p>}
      {compact && <p class="note">{i18n.t('content.short')}</p>}
      {strange && <p class="note">{i18n.parts('content.strange', { code: <code class="strange">U+202E</code> })}</p>}
    </section>
  );
}

/** The title in the reader's language, and as the issuer wrote it first. */
function Title({ texts }: { texts: LanguageText[] }): JSX.Element {
  const i18n = useTranslator();
  const shown = inLanguage(texts, i18n.language, (one) => one.language);
  const rest = texts.filter((one) => one !== shown).slice(0, 4);
  return (
    <div class="diploma-title">
      {shown !== undefined && <p class="diploma-name"><span class="visually-hidden">{i18n.t('field.title')}: </span><Inert text={shown.text} lang={shown.language} /></p>}
      {rest.map((one, index) => (
        <p class="diploma-other" key={index}>
          <Inert text={one.text} lang={one.language} /> <span class="tag">{languageName(i18n, one.language)}</span>
        </p>
      ))}
    </div>
  );
}

function Row({ label, children }: { label: TextKey; children: ComponentChildren }): JSX.Element {
  const i18n = useTranslator();
  return (
    <div>
      <dt>{i18n.t(label)}</dt>
      <dd>{children}</dd>
    </div>
  );
}

type Field = (typeof KNOWN)[number];

function fieldOf(i18n: Translator, name: Field, value: unknown): ComponentChildren {
  switch (name) {
    case 'dateOfBirth':
    case 'awardingDate':
    case 'expiryDate':
      return <Inert text={i18n.day(text(value) ?? '')} />;
    case 'eqfLevel':
      return <Level level={text(value) ?? ''} />;
    case 'iscedF':
      return <FieldOfStudy code={text(value) ?? ''} />;
    case 'grade':
      return <Grade grade={members(value)} />;
    case 'thesis':
      return <Thesis thesis={members(value)} />;
    case 'languages':
      return <Inert text={items(value).map((tag) => languageName(i18n, text(tag) ?? '')).join(', ')} />;
    case 'classes':
      return <Inert text={items(value).map((one) => (one === 'tanks' ? i18n.t('field.classes.tanks') : (text(one) ?? ''))).join(', ')} />;
    case 'jurisdiction':
      return <Inert text={jurisdictionName(i18n, text(value) ?? '')} />;
    default:
      return <Anything value={value} />;
  }
}

function Level({ level }: { level: string }): JSX.Element {
  const i18n = useTranslator();
  const meaning = i18n.maybe(`eqf.${level}`);
  return (
    <>
      <Inert text={i18n.t('eqf.level', { level })} />
      {meaning !== undefined && level !== 'level' && <span class="hint"> – {meaning}</span>}
    </>
  );
}

function FieldOfStudy({ code }: { code: string }): JSX.Element {
  const i18n = useTranslator();
  const broad = i18n.maybe(`isced.${code.slice(0, 2)}`);
  return (
    <>
      {broad !== undefined && <>{broad} </>}
      <span class="hint">ISCED-F <Inert text={code} /></span>
    </>
  );
}

/** A text of which the issuer gave several languages. */
function Words({ texts }: { texts: LanguageText[] }): JSX.Element | null {
  const i18n = useTranslator();
  const shown = inLanguage(texts, i18n.language, (one) => one.language);
  return shown === undefined ? null : <Inert text={shown.text} lang={shown.language} />;
}

function Grade({ grade }: { grade: Members }): JSX.Element {
  const i18n = useTranslator();
  const scale = languageTexts(grade['scale']);
  const classification = languageTexts(grade['classification']);
  return (
    <>
      <Inert text={text(grade['value']) ?? ''} />
      {classification.length > 0 && <> – <Words texts={classification} /></>}
      {scale.length > 0 && (
        <span class="hint block">{i18n.t('field.grade.scale')}: <Words texts={scale} /></span>
      )}
    </>
  );
}

function Thesis({ thesis }: { thesis: Members }): JSX.Element {
  const i18n = useTranslator();
  return (
    <>
      <Words texts={languageTexts(thesis['title'])} />
      {'grade' in thesis && (
        <span class="block">{i18n.t('field.grade')}: <Grade grade={members(thesis['grade'])} /></span>
      )}
    </>
  );
}

function Transcript({ rows }: { rows: readonly unknown[] }): JSX.Element | null {
  const i18n = useTranslator();
  const rest = useDisclosure();
  const lines = rows.map(members);
  const has = (name: string): boolean => lines.some((line) => name in line);
  const table = (part: Members[]): JSX.Element => (
    <table class="transcript">
      <thead>
        <tr>
          <th scope="col">{i18n.t('field.activity')}</th>
          {has('ects') && <th scope="col">{i18n.t('field.ects')}</th>}
          {has('grade') && <th scope="col">{i18n.t('field.grade')}</th>}
          {has('date') && <th scope="col">{i18n.t('field.date')}</th>}
        </tr>
      </thead>
      <tbody>
        {part.map((line, index) => (
          <tr key={index}>
            <th scope="row"><Words texts={languageTexts(line['title'])} /></th>
            {has('ects') && <td data-label={i18n.t('field.ects')}><Inert text={text(line['ects']) ?? ''} /></td>}
            {has('grade') && <td data-label={i18n.t('field.grade')}>{'grade' in line && <Grade grade={members(line['grade'])} />}</td>}
            {has('date') && <td data-label={i18n.t('field.date')}><Inert text={i18n.day(text(line['date']) ?? '')} /></td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
  if (lines.length === 0) return null;
  return (
    <>
      <h3>{i18n.t('field.activities')}</h3>
      {table(lines.slice(0, ROWS_SHOWN))}
      {lines.length > ROWS_SHOWN && (
        <details {...rest}>
          <summary>{i18n.t('content.all')} ({lines.length})</summary>
          {rest.open && table(lines.slice(ROWS_SHOWN))}
        </details>
      )}
    </>
  );
}

/** A value of a shape that nobody here knows. */
export function Anything({ value, depth = 0 }: { value: unknown; depth?: number }): JSX.Element {
  const i18n = useTranslator();
  if (value === null || value === undefined) return <span class="hint">{i18n.t('evidence.none')}</span>;
  if (typeof value === 'boolean') return <>{i18n.t(value ? 'evidence.yes' : 'evidence.no')}</>;
  if (typeof value === 'string' || typeof value === 'number') return <Inert text={String(value)} />;
  const texts = languageTexts(value);
  if (texts.length > 0) return <Words texts={texts} />;
  if (depth > 3) return <Inert text={JSON.stringify(value)} />;
  if (Array.isArray(value)) {
    return <ul class="plain">{value.slice(0, ROWS_SHOWN).map((item, index) => <li key={index}><Anything value={item} depth={depth + 1} /></li>)}</ul>;
  }
  if (!isMembers(value)) return <Inert text={String(value)} />;
  return (
    <dl class="nested">
      {Object.keys(value).slice(0, ROWS_SHOWN).map((name) => (
        <div key={name}>
          <dt><Inert text={name} /></dt>
          <dd><Anything value={value[name]} depth={depth + 1} /></dd>
        </div>
      ))}
    </dl>
  );
}
