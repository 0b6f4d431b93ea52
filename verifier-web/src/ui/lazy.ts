import { useEffect, useState } from 'preact/hooks';

type Views = typeof import('./views.js');

let loading: Promise<Views> | undefined;
let loaded: Views | undefined;

/** The views that the first part of the page does without. A failed attempt is made again at the next call. */
export function loadViews(): Promise<Views> {
  loading ??= import('./views.js').then(
    (views) => (loaded = views),
    (error: unknown) => {
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** These views, or none while they are on their way; `wanted` sends for them. */
export function useViews(wanted: boolean): Views | 'failed' | undefined {
  const [views, setViews] = useState<Views | 'failed' | undefined>(loaded);
  const missing = wanted && loaded === undefined;
  useEffect(() => {
    if (missing) loadViews().then(setViews, () => setViews('failed'));
  }, [missing]);
  return loaded ?? views;
}
