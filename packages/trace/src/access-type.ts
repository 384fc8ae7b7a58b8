/** A load: the program read from the page. Written `R` in a page-run file. */
export const ACCESS_READ = 0;

/** A store, or a read-modify-write. Written `W` in a page-run file. */
export const ACCESS_WRITE = 1;

/** An instruction fetch. Written `X` in a page-run file. */
export const ACCESS_EXECUTE = 2;

/** What a reference did to its page: {@link ACCESS_READ}, {@link ACCESS_WRITE} or {@link ACCESS_EXECUTE}. */
export type AccessType = typeof ACCESS_READ | typeof ACCESS_WRITE | typeof ACCESS_EXECUTE;

/** The letter of each access type in a page-run file, indexed by {@link AccessType}. */
export const ACCESS_LETTERS = 'RWX';

/** Entry of {@link TYPE_OF_LETTER} for bytes that are no type letter. */
export const NO_TYPE = 255;

/** The access type of each byte of a page-run file. */
export const TYPE_OF_LETTER = new Uint8Array(256).fill(NO_TYPE);
for (let type = 0; type < ACCESS_LETTERS.length; type++) {
  TYPE_OF_LETTER[ACCESS_LETTERS.charCodeAt(type)] = type;
}
