import { useEffect } from 'preact/hooks';

/**
 * Takes the keyboard and the screen reader to an element whenever `about` is something else: to the answer, once there is one.
 * A frame later, since focusing makes the browser lay the whole page out, and the answer is to be seen first.
 */
export function useFocus(element: { readonly current: HTMLElement | null }, about: unknown): void {
  useEffect(() => {
    const frame = requestAnimationFrame(() => element.current?.focus());
    return () => cancelAnimationFrame(frame);
  }, [about]);
}

/**
 * Takes the keyboard to an element that the next frame shows, unless somebody is elsewhere by then: a field that is already
 * being filled in keeps it.
 */
export function focusNext(element: () => HTMLElement | null): void {
  requestAnimationFrame(() => {
    if (document.activeElement === null || document.activeElement === document.body) element()?.focus();
  });
}
