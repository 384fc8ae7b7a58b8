/**
 * Reads four lower-case hexadecimal digits at once.
 *
 * The digits are the four bytes of `word`, the first in the highest byte. Every byte is turned
 * into its value, then turned back and compared, so that nothing but `0-9a-f` passes.
 *
 * @returns the value, 0 to 65535, or -1 when one byte is no digit
 */
export function hexWordValue(word: number): number {
  const isLetter = (word >>> 6) & 0x0101_0101;
  const values = (word & 0x0f0f_0f0f) + Math.imul(isLetter, 9);
  const isAboveNine = ((values + 0x0606_0606) >>> 4) & 0x0101_0101;
  const spelled = (values + 0x3030_3030 + Math.imul(isAboveNine, 39)) | 0;
  if (spelled !== word || (values & 0xf0f0_f0f0) !== 0) return -1;
  const pairs = (values | (values >>> 4)) & 0x00ff_00ff;
  return (pairs | (pairs >>> 8)) & 0xffff;
}
