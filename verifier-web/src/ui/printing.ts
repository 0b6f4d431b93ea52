import { useEffect, useState } from 'preact/hooks';

/** Whether the page is being printed. */
function usePrinting(): boolean {
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const begin = (): void => setPrinting(true);
    const end = (): void => setPrinting(false);
    addEventListener('beforeprint', begin);
    addEventListener('afterprint', end);
    return () => {
      removeEventListener('beforeprint', begin);
      removeEventListener('afterprint', end);
    };
  }, []);
  return printing;
}

/** The attributes of a `details` element that the reader opens, and that is open on paper, where nothing can be opened. */
export function useDisclosure(): { open: boolean; onToggle: (event: { currentTarget: HTMLDetailsElement }) => void } {
  const [opened, setOpened] = useState(false);
  const printing = usePrinting();
  return {
    open: opened || printing,
    onToggle: (event) => {
      if (!printing) setOpened(event.currentTarget.open);
    },
  };
}
