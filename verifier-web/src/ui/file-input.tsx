import type { JSX, RefObject } from 'preact';

/** What the input does. */
interface FileInputProps {
  id: string;
  /** Whoever has it clicks it: browsers' own buttons speak the browser's language, not the reader's. */
  input: RefObject<HTMLInputElement | null>;
  onFiles: (files: readonly File[]) => void;
}

/** The browser's chooser of files, behind a button of the page. */
export function FileInput({ id, input, onFiles }: FileInputProps): JSX.Element {
  return (
    <input
      ref={input}
      id={id}
      type="file"
      multiple
      hidden
      onChange={(event) => {
        const chosen = Array.from(event.currentTarget.files ?? []);
        // The same file may be chosen again after it was corrected.
        event.currentTarget.value = '';
        if (chosen.length > 0) onFiles(chosen);
      }}
    />
  );
}
