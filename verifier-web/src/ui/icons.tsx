import type { Outcome, Verdict } from '@testamur/verify';
import type { JSX } from 'preact';

// Each answer has a shape of its own, beside its colour and its word: disc, octagon, triangle, ring.
const SHAPES = {
  good: ['M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22z', 'M6.8 12.4l3.6 3.6 7-7.6'],
  bad: ['M7.5 1h9L23 7.5v9L16.5 23h-9L1 16.5v-9z', 'M8 8l8 8M16 8l-8 8'],
  unsure: ['M12 1.6a1.6 1.6 0 0 1 1.4.8l9.4 17.2a1.6 1.6 0 0 1-1.4 2.4H2.6a1.6 1.6 0 0 1-1.4-2.4L10.6 2.4a1.6 1.6 0 0 1 1.4-.8z', 'M9.7 10.6a2.4 2.4 0 1 1 3.5 2.1c-.8.4-1.2.9-1.2 1.8M12 18v.2'],
  none: ['M12 2.5a9.5 9.5 0 1 0 0 19 9.5 9.5 0 0 0 0-19z', 'M7.5 12h9'],
} as const;

const OF: Readonly<Record<Outcome | Verdict, keyof typeof SHAPES>> = {
  passed: 'good',
  valid: 'good',
  failed: 'bad',
  'not-valid': 'bad',
  unknown: 'unsure',
  'cannot-tell': 'unsure',
  'not-checked': 'none',
};

/** The sign of an answer. It says nothing to those who listen: the word beside it does. */
export function Icon({ of }: { of: Outcome | Verdict }): JSX.Element {
  const [shape, sign] = SHAPES[OF[of]];
  return (
    <svg class={`icon icon-${OF[of]}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path class="icon-shape" d={shape} />
      <path class="icon-sign" d={sign} />
    </svg>
  );
}
