/** Pins, mounts and namespaces need it; tests that want them are skipped without. */
export const isRoot: boolean = process.geteuid?.() === 0;
