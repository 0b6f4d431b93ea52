/** The oldest browsers that the page runs in; the build lowers everybody's syntax to theirs. */
export const TARGETS = ['chrome94', 'firefox102', 'safari15.4'];
