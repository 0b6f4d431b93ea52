import { useEffect, useRef, useState } from 'preact/hooks';

/** What is dropped or pasted anywhere on the page. */
interface Intake {
  /** Files, of a drop or of a paste. */
  onFiles: (files: File[]) => void;
  /** Text, pasted outside of any field. */
  onText: (text: string) => void;
}

/** Takes what is dropped or pasted anywhere on the page while `active`; says whether something is held above it. */
export function useIntake(active: boolean, intake: Intake): boolean {
  const [above, setAbove] = useState(false);
  const latest = useRef(intake);
  latest.current = intake;

  useEffect(() => {
    if (!active) return undefined;
    let leaving: ReturnType<typeof setTimeout> | undefined;
    const over = (event: DragEvent): void => {
      event.preventDefault();
      if (event.dataTransfer !== null) event.dataTransfer.dropEffect = 'copy';
      clearTimeout(leaving);
      setAbove(true);
    };
    // Moving from one element to the next leaves the first: only silence means that it has gone.
    const leave = (): void => {
      clearTimeout(leaving);
      leaving = setTimeout(() => setAbove(false), 120);
    };
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      clearTimeout(leaving);
      setAbove(false);
      take(event.dataTransfer);
    };
    const paste = (event: ClipboardEvent): void => {
      const target = event.target;
      const field = target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement;
      // A field takes its own text; files are for the page wherever they are pasted.
      if (field && (event.clipboardData?.files.length ?? 0) === 0) return;
      if (take(event.clipboardData)) event.preventDefault();
    };
    const take = (data: DataTransfer | null): boolean => {
      const files = Array.from(data?.files ?? []);
      const text = data?.getData('text') ?? '';
      if (files.length > 0) latest.current.onFiles(files);
      else if (text.trim() !== '') latest.current.onText(text);
      return files.length > 0 || text.trim() !== '';
    };
    addEventListener('dragenter', over);
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    addEventListener('paste', paste);
    return () => {
      clearTimeout(leaving);
      removeEventListener('dragenter', over);
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
      removeEventListener('paste', paste);
    };
  }, [active]);

  return above;
}
